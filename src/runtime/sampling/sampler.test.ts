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

  it("tells what a draw was made of, and of a greedy choice that it was certain", () => {
    const subject = sampler({ topK: 2, topP: 1, minP: 0, temperature: 1 });
    const token = subject.sample(logits()) ?? -1;
    const { logprob, topLogprobs } = subject.drawn(token, 5);
    expect(topLogprobs.map((one) => one.token)).toEqual([1, 3]);
    expectShares(
      topLogprobs.map((one) => Math.exp(one.logprob)),
      [4 / 7, 3 / 7],
    );
    expect(topLogprobs).toContainEqual({ token, logprob });
    expect(subject.drawn(token, 1).topLogprobs).toHaveLength(1);
    const greedy = sampler({ temperature: 0 });
    expect(greedy.drawn(greedy.sample(logits()) ?? -1, 3)).toEqual({
      logprob: 0,
      topLogprobs: [{ token: 1, logprob: 0 }],
    });
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

  it("forbids a token by false, and takes pairs whose biases add up and whose texts are encoded", () => {
    expect(sampler({ temperature: 0, logitBias: { 1: false } }).sample(logits())).toBe(3);
    const encode = (text: string): readonly number[] => [...text].map(Number);
    const bias = (logitBias: SamplingOptions["logitBias"] & object): unknown =>
      resolveSampling({ logitBias }, vocabulary, encode).logitBias;
    expect(
      bias([
        ["42", -1],
        [2, 5],
        ["5", false],
      ]),
    ).toEqual({ 4: -1, 2: 4, 5: -Infinity });
    expect(bias({ 4: 1, 3: false })).toEqual({ 4: 1, 3: -Infinity });
    expect(() => resolveSampling({ logitBias: [["x", 1]] }, vocabulary)).toThrow(/tokenizer/);
  });

  it("leaves out all likely tokens but the last, as often as XTC says", () => {
    const xtc = { xtcProbability: 0.25, xtcThreshold: 0.15 };
    // Without 0.4 and 0.3: 0.15, 0.1, 0.04 and 0.01 of 0.3.
    const without = [0.15 / 0.3, 0, 0.01 / 0.3, 0, 0.1 / 0.3, 0.04 / 0.3];
    expectShares(
      frequencies(xtc),
      shares.map((share, id) => 0.75 * share + 0.25 * (without[id] ?? 0)),
    );
    expectShares(frequencies({ xtcProbability: 1, xtcThreshold: 0.35 }), shares);
  });

  it("draws the same tokens for a seed whether or not XTC may strike, where it does not", () => {
    const draw = (options: SamplingOptions): readonly (number | undefined)[] => {
      const subject = sampler({ topK: 0, ...options });
      return Array.from({ length: 20 }, () => subject.sample(logits()));
    };
    expect(draw({ xtcProbability: 1, xtcThreshold: 0.51 })).toEqual(draw({}));
    expect(draw({ xtcProbability: 0, xtcThreshold: 0.1 })).toEqual(draw({}));
  });

  it("keeps tokens within deviations of the largest logit", () => {
    // Logits −1.897, −0.916, −4.605, −1.204, −2.303, −3.219: mean −2.357, deviation 1.251.
    const kept = [0.15, 0.4, 0, 0.3, 0.1, 0].map((share) => share / 0.95);
    expectShares(frequencies({ topNSigma: 1.2 }), kept);
  });

  it("has a temperature by the entropy", () => {
    // Entropy 1.446 nats of ln 6 = 1.792: a share of 0.807, squared 0.651. From 0.5 to 1.5: 1.151.
    const heated = shares.map((share) => share ** (1 / 1.151));
    const sum = heated.reduce((a, b) => a + b);
    expectShares(
      frequencies({ dynatempRange: 0.5, dynatempExponent: 2 }),
      heated.map((share) => share / sum),
    );
    expectShares(frequencies({ dynatempRange: 0.5, topK: 1 }), [0, 1, 0, 0, 0, 0]);
  });

  it.each<readonly [string, SamplingOptions]>([
    ["greedy", { temperature: 0 }],
    ["of the likeliest", { topK: 2 }],
    ["of all", { topK: 0 }],
    ["of all, filtered", { topK: 0, typicalP: 0.5, topP: 0.5 }],
    ["with a bias", { topK: 2, logitBias: { 3: -1 } }],
    ["with a bias against what is infinite", { logitBias: { 2: Number.NEGATIVE_INFINITY } }],
    ["with deviations", { topNSigma: 1 }],
    ["by Mirostat", { mirostat: 2 }],
    ["by Mirostat 1", { mirostat: 1 }],
    ["with XTC and a temperature by entropy", { topK: 0, xtcProbability: 1, dynatempRange: 0.3 }],
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
      { logitBias: [[1]] },
      { logitBias: [["", 1]] },
      { logitBias: [[1, true]] },
      { xtcThreshold: 2 },
      { mirostat: 3 },
      { dryPenaltyLastN: -1 },
      { drySequenceBreakers: [""] },
      { topNSigma: -1 },
    ]) {
      expect(() => resolveSampling(options as SamplingOptions, vocabulary)).toThrow(OptionError);
    }
  });
});
