/** A block whose neurons are normed together has one device, whatever a placement says. */
import { expect, it } from "vitest";
import { hot, onCpu, placementOf } from "../../../test/fixtures/placements.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import { openGguf } from "../../gguf/open.ts";
import { buildProgram } from "../../model/build-program.ts";
import { openModel } from "../../model/model.ts";
import { partitionProgram } from "./partition.ts";

it("refuses to share the neurons of a block that norms them", async () => {
  using file = await makeTinyModel(["--arch", "bitnet-b1.58"]);
  const model = openModel(openGguf(file.path));
  const { program } = buildProgram(model, {
    contextLength: 64,
    sequences: 1,
    maxRows: 4,
    maxOutputs: 4,
    kvType: "f32",
    output: "logits",
  });
  const part = (...choices: Parameters<typeof placementOf>[1]): unknown =>
    partitionProgram(program, placementOf(model, choices));
  expect(() => part(hot(1), hot(0.5))).toThrow(
    "all neurons of layer 1 on one device, as they are normed together",
  );
  expect(part(hot(1), onCpu)).toBeDefined();
});
