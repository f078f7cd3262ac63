import { describe, expect, it } from "vitest";
import { OptionError } from "../../core/errors.ts";
import { Sampler } from "./sampler.ts";
import { resolveSampling, type SamplingOptions } from "./sampling-options.ts";

const vocabulary = 6;
// Softmax of these logits: 0.4, 0.3, 0.15, 0.1, 0.04, 0.01.
const shares = [0.15, 0.4, 0.01, 0.3, 0.1, 0.04];
const logits = (): Float32Array => Float32Array.from(shares, Math.log);

function sampler(options: SamplingOptions): Sampler {
  return new Sampler(resolveSampling({ seed: 1, ...options }, vocabulary), vocabulary);
}

/** How often each token is drawn in `draws` draws. */
function frequencies(options: SamplingOptions, draws = 20_000): readonly number[] {
  const counts = new Array<number>(vocabulary).fill(0);
  const subject = sampler({ topK: 0, topP: 1, minP: 0, temperature: 1, ...options });
  for (let i = 0; i < draws; i++) {
    const token = subject.sample(logits()) ?? -1;
    counts[token] = (counts[token] ?? 0) + 1;
  }
  return counts.map((count) => count / draws);
}

/** Five standard deviations of a binomial share at 20 000 draws. */
const tolerance = (share: number): number => 5 * Math.sqrt((share * (1 - share)) / 20_000) + 1e-9;

function expectShares(got: readonly number[], expected: readonly number[]): void {
  got.forEach((value, token) => {
    const share = expected[token] ?? 0;
    expect(Math.abs(value - share), `token ${token}`).toBeLessThanOrEqual(tolerance(share));
  });
}

describe("the sampler", () => {
  it("is greedy at temperature 0 and prefers the lower id on a tie", () => {
    const subject = sampler({ temperature: 0 });
    expect(subject.sample(Float32Array.of(1, 3, 3, 2, 0, 0))).toBe(1);
  });

  it("draws by the softmax when nothing filters", () => {
    expectShares(frequencies({}), shares);
  });

  it("keeps the k likeliest tokens", () => {
    expectShares(frequencies({ topK: 2 }), [0, 4 / 7, 0, 3 / 7, 0, 0]);
  });

  it("keeps the smallest set that reaches top-p", () => {
    expectShares(frequencies({ topP: 0.8 }), [0.15 / 0.85, 0.4 / 0.85, 0, 0.3 / 0.85, 0, 0]);
  });

  it("keeps tokens at least min-p times as likely as the likeliest", () => {
    expectShares(frequencies({ minP: 0.3 }), [0.15 / 0.85, 0.4 / 0.85, 0, 0.3 / 0.85, 0, 0]);
  });

  it("keeps typical tokens: those whose surprise is nearest to the entropy", () => {
    // Entropy 1.446 nats; surprises 0.916 (d .530), 1.204 (d .242), 1.897 (d .451), 2.303 (d .857):
    // 0.3 and 0.15 come first and reach 0.4 together.
    expectShares(frequencies({ typicalP: 0.4 }), [1 / 3, 0, 0, 2 / 3, 0, 0]);
  });

  it("sharpens with a temperature below 1", () => {
    const squared = shares.map((share) => share * share);
    const sum = squared.reduce((a, b) => a + b);
    expectShares(
      frequencies({ temperature: 0.5 }),
      squared.map((share) => share / sum),
    );
  });

  it("gives the same tokens for the same seed and others for another", () => {
    const draw = (seed: number): readonly (number | undefined)[] => {
      const subject = sampler({ seed, topK: 0 });
      return Array.from({ length: 50 }, () => subject.sample(logits()));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it("penalises repetition, presence and frequency as their definitions say", () => {
    const subject = sampler({
      temperature: 0,
      repetitionPenalty: 2,
      presencePenalty: 0.5,
      frequencyPenalty: 0.25,
    });
    subject.observe(0);
    subject.observe(0);
    subject.observe(1);
    const row = Float32Array.of(4, -1, 3, 0, 0, 0);
    subject.sample(row);
    expect(Array.from(row.slice(0, 3))).toEqual([4 / 2 - 2 * 0.25 - 0.5, -1 * 2 - 0.25 - 0.5, 3]);
  });

  it("forgets tokens that left the penalty window", () => {
    const subject = sampler({ temperature: 0, presencePenalty: 10, penaltyWindow: 2 });
    for (const token of [0, 1, 2]) subject.observe(token);
    const row = Float32Array.of(5, 5, 5, 0, 0, 0);
    expect(subject.sample(row)).toBe(0);
    expect(Array.from(row.slice(0, 3))).toEqual([5, -5, -5]);
  });

  it("adds a logit bias, and −Infinity forbids a token", () => {
    expect(sampler({ temperature: 0, logitBias: { 2: 100 } }).sample(logits())).toBe(2);
    const banned = sampler({ logitBias: { 1: Number.NEGATIVE_INFINITY }, topK: 0 });
    for (let i = 0; i < 500; i++) expect(banned.sample(logits())).not.toBe(1);
  });

  it.each<readonly [string, SamplingOptions]>([
    ["greedy", { temperature: 0 }],
    ["of the likeliest", { topK: 2 }],
    ["of all", { topK: 0 }],
    ["of all, filtered", { topK: 0, typicalP: 0.5, topP: 0.5 }],
    ["with a bias", { topK: 2, logitBias: { 3: -1 } }],
    ["with a bias against what is infinite", { logitBias: { 2: Number.NEGATIVE_INFINITY } }],
    ["with a penalty, greedy", { temperature: 0, presencePenalty: 1 }],
  ])("chooses nothing where a logit is NaN or the largest infinite: %s", (_, options) => {
    for (const wrong of [Number.NaN, -Number.NaN, Number.POSITIVE_INFINITY]) {
      const row = logits();
      row[2] = wrong;
      expect(sampler(options).sample(row)).toBeUndefined();
    }
    const impossible = new Float32Array(vocabulary).fill(Number.NEGATIVE_INFINITY);
    expect(sampler(options).sample(impossible)).toBeUndefined();
    const pairs = Float32Array.of(2, Number.NaN, 1, 3);
    expect(sampler(options).sampleLargest(pairs)).toBeUndefined();
  });

  it("chooses among the others where some logits are −Infinity", () => {
    const row = logits();
    row[1] = Number.NEGATIVE_INFINITY;
    expect(sampler({ temperature: 0 }).sample(row)).toBe(3);
  });

  it("says that biases left nothing to choose", () => {
    const all = Object.fromEntries(shares.map((_, id) => [id, Number.NEGATIVE_INFINITY]));
    expect(() => sampler({ logitBias: all }).sample(logits())).toThrow(/^logitBias: /);
  });

  it("refuses values out of range by name", () => {
    for (const options of [
      { temperature: -1 },
      { topP: 1.5 },
      { topK: 2.5 },
      { seed: -3 },
      { repetitionPenalty: 0 },
      { logitBias: { 99: 1 } },
      { logitBias: { 1: Number.POSITIVE_INFINITY } },
    ]) {
      expect(() => resolveSampling(options, vocabulary)).toThrow(OptionError);
    }
  });
});
