/** Quantised weights with unrounded inputs: the CPU computes what the reference and a GPU do, within f32 sums. */
import { describe, expect, it } from "vitest";
import { makeTinyModel } from "../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../backends/addon.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";

const addon = loadAddon();
const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";
const prompt = [1, 5, 7, 11, 2, 90, 33];

async function likeliest(path: string, options: EngineOptions): Promise<readonly number[]> {
  using engine = await Engine.open(path, { sparsity: "dense", ...options });
  const answer = engine.generate(prompt, { maxTokens: 1, temperature: 0, logprobs: 20 });
  const { value } = await answer[Symbol.asyncIterator]().next();
  return (value?.topLogprobs ?? []).map(({ logprob }) => logprob);
}

function furthest(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(20);
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN))));
}

describe.skipIf(addon.kind === "missing")(`an engine with exact inputs${skipped}`, () => {
  it.each(["q4_0", "q8_0"])(
    "gives the reference's log-probabilities of %s weights",
    async (type) => {
      using model = await makeTinyModel(["--dim", "64", "--ffn", "128", "--type", type]);
      const exact = await likeliest(model.path, { device: "cpu", exact: true });
      const rounded = await likeliest(model.path, { device: "cpu" });
      const reference = await likeliest(model.path, { device: "reference" });
      // Some hundred roundings of values of about 10, at 2^-24 each; rounding inputs to eight bits costs far more.
      expect(furthest(exact, reference)).toBeLessThan(1e-4);
      expect(furthest(rounded, reference)).toBeGreaterThan(1e-4);
    },
  );

  it("says so in its description", async () => {
    using model = await makeTinyModel(["--type", "f16"]);
    using engine = await Engine.open(model.path, { device: "cpu", threads: 1, exact: true });
    expect(engine.device).toMatch(/^cpu \(\w+, exact, 1 thread\)$/);
  });
});
