/**
 * Made models of bitnet-b1.58, which native llama.cpp does not know, against a program in numpy (float64) that was written
 * from the equations: perplexity of windows of 64 ids, BOS in place of the first of each, and greedy answers.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import { perplexity } from "../../src/commands/perplexity.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

const ids = Array.from({ length: 192 }, (_, i) => 10 + ((7 * i * i + 3 * i) % 380));

const models = [
  {
    args: "--dim 64 --layers 3 --ffn 160 --seed 9",
    perplexity: 3761.035064740718,
    answer:
      "89 267 89 364 58 256 318 256 186 186 186 186 186 186 186 186 186 186 186 186 186 186 186 186",
    /** Of neurons, those whose ReLU² is not 0. */
    active: 1 - 0.5001167929292929,
  },
  {
    args: "--dim 96 --layers 4 --ffn 224 --heads 6 --kv-heads 3 --type f16 --seed 12",
    perplexity: 2732.0165508189207,
    answer:
      "177 121 249 332 215 372 388 88 177 112 177 250 177 112 177 112 177 250 177 112 177 250 177 302",
    active: 1 - 0.49960261093073594,
  },
];

const made: TinyModel[] = [];
beforeAll(async () => {
  for (const { args } of models) {
    const common = "--arch bitnet-b1.58 --vocab 400 --context 128";
    made.push(await makeTinyModel(`${common} ${args}`.split(" ")));
  }
});
afterAll(() => {
  for (const model of made) model[Symbol.dispose]();
});

const addon = loadAddon();
const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";
const runs: readonly (readonly [number, string, EngineOptions])[] = [
  [0, "dense", { sparsity: "dense" }],
  [0, "gate first", { sparsity: "gate" }],
  [1, "dense", { sparsity: "dense" }],
  [1, "gate first", {}],
];

describe.skipIf(addon.kind === "missing")(`bitnet-b1.58${skipped}`, () => {
  it.each(runs)("model %i, %s, is what its equations give", async (model, _, sparsity) => {
    const { path } = made[model]!;
    const expected = models[model]!;
    const options: EngineOptions = { device: "cpu", cacheType: "f32", ...sparsity };
    const found = await perplexity(path, ids, { ...options, window: 64 });
    // Sums in f32 beside sums in f64, over four layers.
    expect(Math.abs(found.perplexity / expected.perplexity - 1)).toBeLessThan(1e-6);
    const isDense = sparsity.sparsity === "dense";
    // The last id of a window is not read by one of the two.
    expect(found.sparsity.activeShare).toBeCloseTo(isDense ? 1 : expected.active, 1);

    using engine = await Engine.open(path, { ...options, contextLength: 128 });
    const answer: (number | undefined)[] = [];
    for await (const { token } of engine.generate(ids.slice(0, 8), {
      maxTokens: 24,
      temperature: 0,
    })) {
      answer.push(token);
    }
    expect(answer.join(" ")).toBe(expected.answer);
  });
});
