/** One device predicts for all neurons of a split layer, and the others are told: the answers are those of one device. */
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../test/fixtures/close-logits.ts";
import { hot, type LayerChoice, onCpu, placementOf } from "../../../test/fixtures/placements.ts";
import { type StepLogits, stepLogits } from "../../../test/fixtures/step-logits.ts";
import { tinyModels } from "../../../test/fixtures/tiny-models.ts";
import { loadAddon } from "../../backends/addon.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { ShapeError } from "../../core/errors.ts";
import { buildProgram, type ProgramOptions } from "../../model/build-program.ts";
import type { Model } from "../../model/model.ts";
import { predictorWeights } from "../../ops/ffn-block.ts";
import type { Program } from "../../ops/program.ts";
import { opsOfKind } from "../../ops/program-ops.ts";
import { createHybridBackend } from "./backend.ts";
import { partitionProgram } from "./partition.ts";

const tinyModel = tinyModels();
const addon = loadAddon();
const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";

const predictors = ["--powerinfer", "--predictor-rank", "16", "--dim", "128"];
const bySigns: Partial<ProgramOptions> = {
  methodFor: (_, { neurons, dim }) => ({
    kind: "sign",
    signs: new Uint8Array(neurons * Math.ceil(dim / 64) * 8).fill(0b01100101),
    margin: 0,
  }),
};
const models: readonly (readonly [string, readonly string[], Partial<ProgramOptions>])[] = [
  ["llama, mlp", predictors, {}],
  ["falcon, mlp", ["--arch", "falcon", ...predictors], {}],
  ["opt, sign", ["--arch", "opt"], bySigns],
];

const told = (share: number): LayerChoice => ({ ...hot(share), predictsOnGpu: true });
const placements: Readonly<Record<string, readonly LayerChoice[]>> = {
  "nothing hot": [told(0)],
  "a third hot": [told(1 / 3)],
  "the card predicts in one layer, each device in the other": [told(0.5), hot(0.5)],
  "the first layer on the CPU": [onCpu, told(0.5)],
};

const activeOf = ({ counts }: StepLogits): readonly number[] => counts.map(({ active }) => active);

describe.each(models)("%s, told by the card", (_, changes, options) => {
  it.each(Object.keys(placements))("answers as on one device: %s", async (name) => {
    const model = await tinyModel(...changes);
    const alone = await stepLogits(createReferenceBackend(), model, options);
    const placement = placementOf(model, placements[name]!);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    using hybrid = createHybridBackend({ gpu, cpu, placement });
    const both = await stepLogits(hybrid, model, options);
    expectClose(both.logits, alone.logits);
    expect(activeOf(both)).toEqual(activeOf(alone));
  });

  it.skipIf(addon.kind === "missing")(`answers so on native devices${skipped}`, async () => {
    const model = await tinyModel(...changes);
    const placement = placementOf(model, [told(0.4)]);
    using alone = createCpuBackend({ threads: 1 });
    const [gpu, cpu] = [createCpuBackend({ threads: 1 }), createCpuBackend({ threads: 2 })];
    // A prompt on the CPU alone is told by the card as well.
    using hybrid = createHybridBackend({
      gpu,
      cpu,
      placement,
      promptPath: { path: "cpu", fromRows: 2 },
    });
    const expected = await stepLogits(alone, model, options);
    const found = await stepLogits(hybrid, model, options);
    expectClose(found.logits, expected.logits);
    expect(activeOf(found)).toEqual(activeOf(expected));
  });
});

const size = { contextLength: 32, sequences: 1, maxRows: 8, maxOutputs: 1 } as const;

function programOf(model: Model): Program {
  return buildProgram(model, { ...size, kvType: "f32", output: "logits" }).program;
}

describe("a layer in which the card predicts", () => {
  it("crosses once each way: the residual and the active set together, then the result", async () => {
    const model = await tinyModel(...predictors);
    const { actions } = partitionProgram(programOf(model), placementOf(model, [told(0.5)]));
    const crossings = actions[0]!.flatMap((action) =>
      action.kind === "transfer" ? [action.slots.map(({ to }) => to.name)] : [],
    );
    const layer = [["residual", "active set, step"], ["ffn of cpu, step"]];
    expect(crossings).toEqual([["residual"], ...layer, ...layer]);
  });

  it("leaves the predictor to the card alone, and the card's bits are of all neurons", async () => {
    const model = await tinyModel(...predictors);
    const placement = placementOf(model, [told(0.5)]);
    const { programs } = partitionProgram(programOf(model), placement);
    const [gpu, cpu] = [programs.get("gpu0")!, programs.get("cpu")!];
    const weightsOf = (program: Program): readonly string[] =>
      [
        ...opsOfKind(program, "ffn").flatMap(({ block }) => predictorWeights(block.method)),
        ...opsOfKind(program, "predict").flatMap(({ predictor }) => predictorWeights(predictor)),
      ].map(({ name }) => name);
    expect(weightsOf(gpu)).toHaveLength(4);
    expect(weightsOf(cpu)).toEqual([]);
    const neurons = model.hyperparameters.neurons;
    expect(opsOfKind(gpu, "predict").map((op) => op.neurons)).toEqual(neurons);
  });

  it("counts the bytes of its predictor once, and in full", async () => {
    const model = await tinyModel(...predictors);
    const bytesOn = async (choice: LayerChoice): Promise<number> => {
      const placement = placementOf(model, [choice]);
      const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
      using hybrid = createHybridBackend({ gpu, cpu, placement });
      const { counts } = await stepLogits(hybrid, model);
      return counts.reduce((sum, { bytesTouched }) => sum + bytesTouched, 0);
    };
    // Apart, each device reads fc1 in each of the four steps of both layers: 16 rows of 128 f32.
    const twice = (await bytesOn(hot(0.5))) - (await bytesOn(told(0.5)));
    expect(twice).toBe(2 * 4 * 16 * 128 * 4);
    expect(await bytesOn(told(0))).toBe(await bytesOn(hot(0)));
  });

  it("is the layer's own card: a predictor elsewhere is refused", async () => {
    const model = await tinyModel(...predictors);
    const placement = placementOf(model, [{ ...onCpu, predictsOnGpu: true }]);
    expect(() => partitionProgram(programOf(model), placement)).toThrow(ShapeError);
  });
});
