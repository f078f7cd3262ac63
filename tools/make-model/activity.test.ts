import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/random.ts";
import {
  exceededWith,
  neuronProbabilities,
  reluFourthMoment,
  reluSecondMoment,
} from "./activity.ts";
import { parseOptions } from "./options.ts";
import { makeVocabulary } from "./vocabulary.ts";

describe("neuronProbabilities", () => {
  const probabilities = (skew: number, active: number): Float64Array =>
    neuronProbabilities({ neurons: 4096, active, skew, random: createRandom(1) });
  const mean = (values: Float64Array): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;

  it.each([0, 0.5, 1, 2])("have the mean that was asked for under skew %d", (skew) => {
    expect(mean(probabilities(skew, 0.1))).toBeCloseTo(0.1, 9);
    expect(Math.max(...probabilities(skew, 0.1))).toBeLessThanOrEqual(0.95);
  });

  it("are alike without skew, and few neurons do most of the firing with it", () => {
    expect(new Set(probabilities(0, 0.1).map((p) => Number(p.toFixed(9)))).size).toBe(1);
    const sorted = probabilities(1, 0.1).toSorted().toReversed();
    // c/k cut at 0.95 sums to c·(1 + ln(4096·0.95/c)) = 410, so c = 85, and the first fifth to 85·(1 + ln(820·0.95/85)).
    expect(Math.abs(mean(sorted.subarray(0, 820)) * 820 - 273)).toBeLessThan(0.01 * 273);
    expect(probabilities(1, 0.1)[0]).not.toBe(Math.max(...probabilities(1, 0.1)));
  });
});

describe("the normal distribution", () => {
  it("is exceeded where tables say", () => {
    // Abramowitz and Stegun, table 26.5: accurate to the digits given.
    expect(exceededWith(0.5)).toBeCloseTo(0, 8);
    expect(exceededWith(0.1)).toBeCloseTo(1.28155, 5);
    expect(exceededWith(0.01)).toBeCloseTo(2.32635, 5);
    expect(exceededWith(0.9)).toBeCloseTo(-1.28155, 5);
  });

  it("has the moments of its positive part that sampling finds", () => {
    const random = createRandom(3);
    const count = 200_000;
    for (const t of [-0.5, 0, 1.28]) {
      let second = 0;
      let fourth = 0;
      for (let sample = 0; sample < count; sample++) {
        const over = Math.max(0, random.normal() - t);
        second += over ** 2 / count;
        fourth += over ** 4 / count;
      }
      // Deviations of the samples' means: at most 0.01 and 0.1 of what they measure at t = 1.28; four of them.
      expect(Math.abs(second / reluSecondMoment(t) - 1)).toBeLessThan(0.04);
      expect(Math.abs(fourth / reluFourthMoment(t) - 1)).toBeLessThan(0.4);
    }
  });
});

describe("makeVocabulary", () => {
  it.each([8, 259, 300, 32000])("has %d different tokens, scored and typed", (size) => {
    const { tokens, scores, types } = makeVocabulary(size);
    expect(new Set(tokens).size).toBe(size);
    expect(scores).toHaveLength(size);
    expect(types).toHaveLength(size);
    expect(tokens.includes("<0x0A>")).toBe(size >= 300);
  });
});

describe("the command line", () => {
  it.each([
    [[], /OUT\.gguf: nothing/],
    [["a.gguf", "--arch", "mamba"], /"mamba".*llama/],
    [["a.gguf", "--dim", "100"], /--heads/],
    [["a.gguf", "--heads", "4", "--kv-heads", "3"], /--kv-heads: 3/],
    [["a.gguf", "--type", "q1_0"], /--type: q1_0/],
    [["a.gguf", "--active", "0.1"], /silu never rests/],
    [["a.gguf", "--active", "2", "--activation", "relu"], /--active: 2/],
    [["a.gguf", "--predictor-rank", "64"], /--active beside it/],
    [["a.gguf", "--depth", "3"], /--depth/],
  ])("refuses %j", (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });

  it("completes PowerInfer's format with a predictor", () => {
    const options = parseOptions(["a.gguf", "--powerinfer", "--ffn", "2048"]);
    expect(options).toMatchObject({ activation: "relu", active: 0.1, predictorRank: 256 });
  });
});
