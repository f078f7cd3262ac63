import { describe, expect, it } from "vitest";
import type { ActivationProfile } from "./activation-profile.ts";
import { addObservation, foldLearnt, nothingLearnt, obstacleToLearning } from "./learnt-counts.ts";

const profile: ActivationProfile = {
  rule: { kind: "nonzero" },
  tokens: 100,
  counts: [Float64Array.of(80, 40, 10, 0)],
  corpora: [{ name: "books.txt", hash: "ff", tokens: 100, isComplete: true }],
};
const none = nothingLearnt([4]);

describe("what was seen of a layer", () => {
  it("is taken as it is where all neurons were watched", () => {
    const all = { neurons: Uint32Array.of(0, 1, 2, 3), active: Uint32Array.of(1, 2, 7, 9) };
    const layers = [{ ...all, activePerToken: 1.9 }];
    const once = addObservation(none, { tokens: 10, layers }, profile);
    expect(once).toEqual({ tokens: 10, counts: [Float64Array.of(1, 2, 7, 9)] });
    const twice = addObservation(once, { tokens: 10, layers }, profile);
    expect(twice).toEqual({ tokens: 20, counts: [Float64Array.of(2, 4, 14, 18)] });
  });

  it("leaves the rest of the layer's activity to the others, as the profile weighs them", () => {
    // 12 a token in 10 tokens, 3 of these watched: 9 are left for weights of 80 and 40.
    const cold = { neurons: Uint32Array.of(2, 3), active: Uint32Array.of(1, 2) };
    const layers = [{ ...cold, activePerToken: 1.2 }];
    const { counts } = addObservation(none, { tokens: 10, layers }, profile);
    expect(counts).toEqual([Float64Array.of(6, 3, 1, 2)]);
    const unknown = { ...profile, tokens: 0, counts: [new Float64Array(4)] };
    const even = addObservation(none, { tokens: 10, layers }, unknown).counts[0];
    expect(even?.[0]).toBeGreaterThanOrEqual(4);
    expect((even?.[0] ?? 0) + (even?.[1] ?? 0)).toBe(9);
  });

  it("is filled in without a bias over many short answers", () => {
    const layers = [
      { neurons: Uint32Array.of(3), active: Uint32Array.of(0), activePerToken: 0.13 },
    ];
    let learnt = none;
    // 1000 answers of 3 tokens: 0.39 activations each, of which the third neuron has a thirteenth.
    for (let i = 0; i < 1000; i++) {
      learnt = addObservation(learnt, { tokens: 3, layers }, profile);
    }
    const [counts = []] = learnt.counts;
    for (const [neuron, expected] of [240, 120, 30, 0].entries()) {
      expect(Math.abs((counts[neuron] ?? 0) - expected)).toBeLessThanOrEqual(3);
    }
  });

  it("is never more than the tokens, whatever is left over", () => {
    const layers = [
      { neurons: Uint32Array.of(1, 2, 3), active: new Uint32Array(3), activePerToken: 3 },
    ];
    const { counts } = addObservation(none, { tokens: 5, layers }, profile);
    expect(counts).toEqual([Float64Array.of(5, 0, 0, 0)]);
  });
});

describe("folding in", () => {
  it("adds counts and tokens, and names the answers once among the corpora", () => {
    const learnt = { tokens: 10, counts: [Float64Array.of(1, 0, 0, 10)] };
    const folded = foldLearnt(foldLearnt(profile, learnt), learnt);
    expect(folded.tokens).toBe(120);
    expect(folded.counts).toEqual([Float64Array.of(82, 40, 10, 20)]);
    expect(folded.corpora.map(({ name, tokens }) => [name, tokens])).toEqual([
      ["books.txt", 100],
      ["answers", 20],
    ]);
    expect(profile.counts).toEqual([Float64Array.of(80, 40, 10, 0)]);
  });
});

describe("active sets", () => {
  it("teach a ReLU model's profile with any method but dense, and no other profile", () => {
    expect(obstacleToLearning("gate", profile.rule)).toBeUndefined();
    expect(obstacleToLearning("mlp", profile.rule)).toBeUndefined();
    expect(obstacleToLearning("dense", profile.rule)).toMatch(/every neuron/);
    expect(obstacleToLearning("threshold", { kind: "top", share: 0.2 })).toMatch(/never zero/);
  });
});
