/** States of recurrent layers that lie on two devices, saved and put back together. */
import { describe, expect, it } from "vitest";
import { hot, onCpu, placementOf } from "../../../test/fixtures/placements.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { openGguf } from "../../gguf/open.ts";
import { buildProgram } from "../../model/build-program.ts";
import { openModel } from "../../model/model.ts";
import { createStep } from "../../ops/program.ts";
import { createHybridBackend } from "./backend.ts";

describe("states on two devices", () => {
  it("go back to where they were saved, on both", async () => {
    using file = await makeTinyModel(["--arch", "qwen35", "--full-attention-interval", "3"]);
    const model = openModel(openGguf(file.path));
    // A state on each device.
    const placement = placementOf(model, [onCpu, hot(0.5)]);
    const backends = { gpu: createReferenceBackend(), cpu: createReferenceBackend() };
    const { program, slots } = buildProgram(model, {
      contextLength: 32,
      sequences: 2,
      maxRows: 8,
      maxOutputs: 2,
      kvType: "f32",
      output: "logits",
    });
    const kv = { ...program.kv, checkpoints: 1 };
    const backend = createHybridBackend({ ...backends, placement });
    const executable = await backend.compile({ ...program, kv });
    const step = createStep(program.maxRows, program.maxOutputs);
    step.outputCount = 1;
    const logitsAt = async (position: number, count: number): Promise<Float32Array> => {
      step.rowCount = count;
      step.outputRow[0] = count - 1;
      for (let row = 0; row < count; row++) {
        step.position[row] = position + row;
        step.token[row] = 7 * (position + row + 1);
      }
      await executable.run(0, step);
      return executable.output(slots.logits!).slice();
    };
    await logitsAt(0, 4);
    await executable.saveState(0, 0);
    const first = await logitsAt(4, 2);
    await logitsAt(6, 3);
    await expect(logitsAt(4, 2)).rejects.toThrow(/position 4.*behind 9 positions/);
    await executable.restoreState(0, 0);
    expect(await logitsAt(4, 2)).toEqual(first);
    executable[Symbol.dispose]();
  });
});
