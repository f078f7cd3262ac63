/** Writes a synthetic model: metadata first, then tensor after tensor, of which never more than a few MB are in memory. */
import { writeGguf } from "../../src/gguf/write.ts";
import { modelMetadata } from "./metadata.ts";
import type { MakeModelOptions } from "./options.ts";
import { modelTensors } from "./tensors.ts";

export async function makeModel(options: MakeModelOptions): Promise<void> {
  await writeGguf({
    path: options.out,
    metadata: modelMetadata(options),
    tensors: modelTensors(options),
    magic: options.powerinfer ? "PWRI" : "GGUF",
  });
}
