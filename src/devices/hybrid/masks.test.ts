/** Masked inputs on two devices: wherever a layer's parts are, they are masked alike. */
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../test/fixtures/close-logits.ts";
import { hot, type LayerChoice, onCpu, placementOf } from "../../../test/fixtures/placements.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import type { Backend } from "../../backends/backend.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { openGguf } from "../../gguf/open.ts";
import { buildProgram, type ProgramOptions } from "../../model/build-program.ts";
import { headsOf } from "../../model/hyperparameters.ts";
import type { LayerMasks } from "../../model/layer-masks.ts";
import { type Model, openModel } from "../../model/model.ts";
import { createStep } from "../../ops/program.ts";
import { createHybridBackend } from "./backend.ts";

/** Logits of a prompt's last token and of two tokens decoded behind it. */
async function logitsOf(
  backend: Backend,
  model: Model,
  masksFor?: ProgramOptions["masksFor"],
): Promise<readonly Float32Array[]> {
  const { program, slots } = buildProgram(model, {
    contextLength: 16,
    sequences: 1,
    maxRows: 8,
    maxOutputs: 1,
    kvType: "f32",
    output: "logits",
    ...(masksFor && { masksFor }),
  });
  using executable = await backend.compile(program);
  const step = createStep(program.maxRows, program.maxOutputs);
  const logits: Float32Array[] = [];
  let position = 0;
  for (const tokens of [[5, 17, 2, 9], [30], [31]]) {
    tokens.forEach((token, row) => {
      step.position[row] = position++;
      step.token[row] = token;
    });
    step.rowCount = tokens.length;
    step.outputRow[0] = tokens.length - 1;
    step.outputCount = 1;
    await executable.run(0, step);
    logits.push(executable.output(slots.logits!).slice());
  }
  return logits;
}

function masksOf(model: Model): LayerMasks {
  const { dim, attention } = model.hyperparameters;
  const { heads, valueWidth } = headsOf(attention);
  const mask = (width: number, value: number) => ({
    value,
    norms: new Float32Array(width).fill(1),
  });
  return {
    attention: { ...mask(dim, 0.3), channels: { q: undefined, k: undefined, v: undefined } },
    attentionOutput: { ...mask(heads * valueWidth, 0.01), channels: { output: undefined } },
    ffn: { ...mask(dim, 0.5), channels: { gate: undefined, up: undefined } },
  };
}

const placements: Readonly<Record<string, readonly LayerChoice[]>> = {
  "nothing hot": [hot(0)],
  "a third hot": [hot(1 / 3)],
  "all hot": [hot(1)],
  "the first layer on the CPU": [onCpu, hot(0.5)],
};

describe.each(["llama", "falcon"])("masked inputs of %s", (architecture) => {
  it.each(Object.keys(placements))("are those of one device: %s", async (name) => {
    using file = await makeTinyModel(["--arch", architecture]);
    const model = openModel(openGguf(file.path));
    const masks = masksOf(model);
    const dense = await logitsOf(createReferenceBackend(), model);
    const alone = await logitsOf(createReferenceBackend(), model, () => masks);
    expect(alone).not.toEqual(dense);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    const placement = placementOf(model, placements[name]!);
    using hybrid = createHybridBackend({ gpu, cpu, placement });
    const both = await logitsOf(hybrid, model, () => masks);
    expectClose(both, alone);
  });
});
