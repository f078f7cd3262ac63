/** Which tokens each filter leaves, and which one is drawn. Logits are logarithms of whole parts of 16. */
import { describe, expect, it } from "vitest";
import { Candidates } from "./candidates.ts";

/** By id: probabilities 1/16, 8/16, 2/16, 4/16, 1/16. */
const logits = Float32Array.of(0, Math.log(8), Math.log(2), Math.log(4), 0);
const byLikelihood = [1, 3, 2, 0, 4];

function loaded(topK = 0): Candidates {
  const candidates = new Candidates(logits.length);
  candidates.load(logits, topK);
  return candidates;
}

/** The ids that are left, likeliest first: drawn at the middle of each one's stretch of equal steps. */
function left(candidates: Candidates): readonly number[] {
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i++) seen.add(candidates.draw(1, (i + 0.5) / 1000));
  return [...seen];
}

describe("candidates", () => {
  it.each([
    [0, byLikelihood],
    [1, [1]],
    [4, [1, 3, 2, 0]],
    [9, byLikelihood],
  ])("of top %i are %j: the largest, ties by the lower id", (topK, expected) => {
    expect(left(loaded(topK))).toEqual(expected);
  });

  it("from sorted pairs are those from all logits", () => {
    const pairs = Float32Array.from(byLikelihood.flatMap((id) => [id, logits[id]!]));
    const candidates = new Candidates(logits.length);
    candidates.loadSorted(pairs, 3);
    expect(left(candidates)).toEqual([1, 3, 2]);
    expect(candidates.largest).toBe(logits[1]);
  });

  it.each([
    [0.4, [1]],
    [0.6, [1, 3]],
    [0.8, [1, 3, 2]],
    [1, byLikelihood],
  ])("of top-p %f are the fewest that reach it: %j", (p, expected) => {
    const candidates = loaded();
    candidates.keepTopP(p);
    expect(left(candidates)).toEqual(expected);
  });

  it.each([
    [0, byLikelihood],
    [0.2, [1, 3, 2]],
    [0.3, [1, 3]],
    [1, [1]],
  ])("of min-p %f are those so likely against the first: %j", (p, expected) => {
    const candidates = loaded();
    candidates.keepMinP(p);
    expect(left(candidates)).toEqual(expected);
  });

  it("of typical-p are those whose surprise is nearest the entropy", () => {
    const candidates = loaded();
    // Entropy ln 2 · 30/16 = 1.30; surprises of 8, 4, 2 and 1 sixteenth are 0.69, 1.39, 2.08, 2.77.
    candidates.keepTypical(0.2);
    expect(left(candidates)).toEqual([3]);
    candidates.load(logits, 0);
    candidates.keepTypical(0.7);
    expect(left(candidates)).toEqual([1, 3]);
  });

  it("are drawn in proportion, by temperature", () => {
    const share = (temperature: number): number => {
      const draws = Array.from({ length: 4000 }, (_, i) =>
        loadedOnce.draw(temperature, (i + 0.5) / 4000),
      );
      return draws.filter((id) => id === 1).length / draws.length;
    };
    const loadedOnce = loaded();
    expect(share(1)).toBeCloseTo(8 / 16, 3);
    // At temperature 1/2 the parts are squared.
    expect(share(0.5)).toBeCloseTo(64 / (64 + 16 + 4 + 1 + 1), 3);
  });

  it("say NaN where a logit is NaN or there is none", () => {
    const candidates = new Candidates(3);
    expect(candidates.largest).toBeNaN();
    candidates.load(Float32Array.of(1, Number.NaN, 2), 0);
    expect(candidates.largest).toBeNaN();
    candidates.load(Float32Array.of(1, Number.NaN, 2), 1);
    expect(candidates.largest).toBeNaN();
  });
});
