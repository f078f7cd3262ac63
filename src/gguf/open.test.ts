import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openGguf } from "./open.ts";

const data = process.env["HEARTH_TEST_DATA"];
const defaultModel = join(import.meta.dirname, "../../models/default.gguf");

describe("openGguf", () => {
  it("opens the bundled model and finds its tensors inside the file", () => {
    expect(existsSync(defaultModel)).toBe(true);
    const model = openGguf(defaultModel);
    const [file] = model.files;
    expect(model.magic).toBe("GGUF");
    expect(model.metadata.string("general.architecture")).not.toBe("");
    const tensors = [...model.tensors.values()];
    expect(tensors.length).toBeGreaterThan(0);
    for (const { offset, bytes, path } of tensors) {
      expect(path).toBe(defaultModel);
      expect(offset).toBeGreaterThanOrEqual(file?.dataOffset ?? Number.POSITIVE_INFINITY);
      expect(offset + bytes).toBeLessThanOrEqual(file?.bytes ?? 0);
    }
    expect(model.metadata.strings("tokenizer.ggml.tokens").length).toBe(
      model.tensors.get("token_embd.weight")?.dimensions[1],
    );
  });

  it.skipIf(data === undefined)(
    "reads the magic PWRI and the predictors of a PowerInfer file (needs HEARTH_TEST_DATA)",
    () => {
      const path = join(data ?? "", "models/powerinfer/llama-0.powerinfer.gguf");
      const model = openGguf(path);
      expect(model.magic).toBe("PWRI");
      expect(model.tensors.get("blk.0.fc1.weight")?.dimensions).toHaveLength(2);
    },
  );

  it.skipIf(data === undefined)(
    "opens vocabularies without tensors and decodes their tokens (needs HEARTH_TEST_DATA)",
    () => {
      for (const name of ["llama-spm", "gpt-2", "falcon", "deepseek-coder"]) {
        const model = openGguf(join(data ?? "", `vocab/ggml-vocab-${name}.gguf`));
        const tokens = model.metadata.strings("tokenizer.ggml.tokens");
        expect(model.tensors.size).toBe(0);
        expect(tokens.length).toBeGreaterThan(30_000);
        expect(model.metadata.numbers("tokenizer.ggml.token_type").length).toBe(tokens.length);
      }
    },
  );
});
