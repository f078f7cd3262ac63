/** Counts of a router's choices, from routes made by hand, and the null that they are compared with. */
import { describe, expect, it } from "vitest";
import { ExpertCounter, hottestShare, medianReuse, uniformUse } from "./expert-profile.ts";

/** Two experts of four for each token, the first with weight 0.75. */
function counterOf(...tokens: readonly (readonly [number, number])[]): ExpertCounter {
  const counter = new ExpertCounter({ layer: 3, experts: 4, used: 2 });
  counter.add(Float32Array.from(tokens.flatMap((ids) => [...ids, 0.75, 0.25])), tokens.length);
  return counter;
}

describe("experts that were chosen", () => {
  it("are counted with their weights", () => {
    const { use } = counterOf([0, 1], [1, 0], [3, 1]);
    expect(use).toMatchObject({ layer: 3, used: 2, tokens: 3 });
    expect([...use.counts]).toEqual([2, 3, 0, 1]);
    expect([...use.weights]).toEqual([1, 1.25, 0, 0.75]);
  });

  it("are chosen again after so many tokens, in the same text", () => {
    const counter = counterOf([0, 1], [1, 2], [3, 2], [0, 3]);
    // 1 and 2 and 3 after one token each, 0 after three.
    expect([...counter.use.reuse.slice(0, 5)]).toEqual([0, 3, 0, 1, 0]);
    expect(medianReuse(counter.use)).toBe(1);
    counter.beginText();
    counter.add(Float32Array.of(0, 1, 0.5, 0.5), 1);
    expect(counter.use.reuse.reduce((sum, count) => sum + count, 0)).toBe(4);
  });

  it("have no distance where none was chosen again", () => {
    expect(medianReuse(counterOf([0, 1]).use)).toBeUndefined();
  });

  it("are as skewed as the most used of them", () => {
    const counts = Float64Array.of(6, 1, 1, 2);
    expect(hottestShare(counts, 0.25)).toBe(0.6);
    expect(hottestShare(counts, 0.3)).toBe(0.8);
    expect(hottestShare(counts, 1)).toBe(1);
    expect(hottestShare(new Float64Array(4), 0.5)).toBe(0);
  });
});

describe("a router that chooses all alike", () => {
  it("chooses other experts for each token, as many, as often", () => {
    const counter = new ExpertCounter({ layer: 0, experts: 16, used: 4 });
    counter.add(new Float32Array(8 * 4000), 4000);
    const nullUse = uniformUse(counter.use);
    expect(nullUse.tokens).toBe(4000);
    // 1000 each, with a deviation of √(4000 · ¼ · ¾) = 27: six of them.
    for (const count of nullUse.counts) expect(Math.abs(count - 1000)).toBeLessThan(6 * 28);
    // A geometric distance with p = ¼: half of them are at most 3.
    expect(medianReuse(nullUse)).toBe(3);
    expect(uniformUse(counter.use)).toEqual(nullUse);
  });

  it("looks skewed over a few tokens", () => {
    const few = uniformUse({ ...counterOf([0, 1]).use, counts: new Float64Array(64), tokens: 16 });
    expect(hottestShare(few.counts, 0.125)).toBeGreaterThan(0.25);
  });
});
