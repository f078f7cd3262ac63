/** Which tokens each filter leaves, and which one is drawn. Logits are logarithms of whole parts of 16. */
import { describe, expect, it } from "vitest";
import { Candidates } from "./candidates.ts";

/** By id: probabilities 1/16, 8/16, 2/16, 4/16, 1/16. */
const logits = Float32Array.of(0, Math.log(8), Math.log(2), Math.log(4), 0);
const byLikelihood = [1, 3, 2, 0, 4];

function loaded(topK = 0): Candidates {
  const candidates = new Candidates(logits.length);
  candidates.load(logits);
  if (topK > 0) candidates.keepLargest(topK);
  return candidates;
}

/** The ids that are left, likeliest first: drawn at the middle of each one's stretch of equal steps. */
function left(candidates: Candidates): readonly number[] {
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i++) seen.add(candidates.draw((i + 0.5) / 1000));
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
    const candidates = new Candidates(3);
    candidates.loadSorted(pairs);
    expect(left(candidates)).toEqual([1, 3, 2]);
    expect(candidates.best).toBe(1);
    candidates.keepLargest(2);
    expect(left(candidates)).toEqual([1, 3]);
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
    candidates.load(logits);
    candidates.keepTypical(0.7);
    expect(left(candidates)).toEqual([1, 3]);
  });

  it("are drawn in proportion, by temperature", () => {
    const share = (temperature: number): number => {
      const candidates = loaded();
      candidates.heat(temperature);
      const draws = Array.from({ length: 4000 }, (_, i) => candidates.draw((i + 0.5) / 4000));
      return draws.filter((id) => id === 1).length / draws.length;
    };
    expect(share(1)).toBeCloseTo(8 / 16, 3);
    // At temperature 1/2 the parts are squared.
    expect(share(0.5)).toBeCloseTo(64 / (64 + 16 + 4 + 1 + 1), 3);
  });

  it("are likely by their temperature in the filters behind it", () => {
    const candidates = loaded();
    candidates.heat(0.5);
    // Squared parts 1, 64, 4, 16, 1: 16/64 is at least 0.2, 4/64 is not.
    candidates.keepMinP(0.2);
    expect(left(candidates)).toEqual([1, 3]);
  });

  it("of a mask have a bit in it, and an impossible one is never drawn", () => {
    const candidates = new Candidates(70);
    const row = Float32Array.from({ length: 70 }, (_, id) => id);
    const mask = Uint32Array.of(0xffff_ffff, 0, 0b100001);
    candidates.load(row);
    candidates.keepMasked(mask);
    const allowed = [...row.keys()].filter((id) => Number.isFinite(row[id]));
    expect(allowed).toEqual([...Array(32).keys(), 64, 69]);
    row.fill(Number.NEGATIVE_INFINITY);
    row[5] = -3;
    candidates.load(row);
    expect([candidates.draw(0), candidates.draw(1)]).toEqual([5, 5]);
  });

  it("are not sound where a logit is NaN, the largest infinite or there is none", () => {
    const isSound = (row: readonly number[], topK: number): boolean => {
      const candidates = new Candidates(3);
      candidates.load(Float32Array.from(row));
      candidates.keepLargest(topK);
      candidates.keepTypical(0.5);
      return candidates.isSound;
    };
    const least = Number.NEGATIVE_INFINITY;
    for (const topK of [1, 3]) {
      expect(isSound([1, 2, 0], topK)).toBe(true);
      expect(isSound([1, Number.NaN, 2], topK)).toBe(false);
      expect(isSound([1, Number.POSITIVE_INFINITY, 2], topK)).toBe(false);
      expect(isSound([least, least, least], topK)).toBe(false);
    }
  });
});
