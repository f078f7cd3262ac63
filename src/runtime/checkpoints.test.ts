/** Which checkpoints are kept: near the end many, far from it few; no sequence takes them all from the others. */
import { describe, expect, it } from "vitest";
import { Checkpoints, checkpointsOf } from "./checkpoints.ts";

function lengthsOf(checkpoints: Checkpoints, sequence: number): readonly number[] {
  const lengths = new Set<number>();
  for (let at = 1e5; at > 0; ) {
    at = checkpoints.longest(sequence, at - 1)?.length ?? 0;
    if (at > 0) lengths.add(at);
  }
  return [...lengths].reverse();
}

function add(checkpoints: Checkpoints, length: number, sequence = 0): number | undefined {
  return checkpoints.add(sequence, { length, stored: length });
}

describe("checkpoints", () => {
  it("are not kept twice, nor so near to each other that reading again is as quick", () => {
    const checkpoints = new Checkpoints(4);
    expect([add(checkpoints, 15), add(checkpoints, 100)]).toEqual([undefined, 0]);
    expect([add(checkpoints, 100), add(checkpoints, 115)]).toEqual([undefined, undefined]);
    expect(add(checkpoints, 116)).toBe(1);
    expect(add(new Checkpoints(0), 100)).toBeUndefined();
  });

  it("are thinned where they are old: the newest two stay, of the others those that reach far", () => {
    const checkpoints = new Checkpoints(4);
    // Thirty turns of 100 tokens, each saved at its beginning and behind its question.
    for (let turn = 1; turn <= 30; turn++) {
      add(checkpoints, turn * 100);
      add(checkpoints, turn * 100 + 40);
    }
    const kept = lengthsOf(checkpoints, 0);
    expect(kept).toHaveLength(4);
    expect(kept.slice(-2)).toEqual([3000, 3040]);
    const [first = 0, second = 0] = kept;
    expect(first).toBeGreaterThan(0);
    expect(3040 - first).toBeGreaterThan(2 * (3040 - second));
  });

  it("with two slots are the last turn's beginning and its prompt's end", () => {
    const checkpoints = new Checkpoints(2);
    for (let turn = 1; turn <= 9; turn++) {
      add(checkpoints, turn * 100);
      expect(checkpoints.longest(0, turn * 100)?.length).toBe(turn * 100);
      add(checkpoints, turn * 100 + 40);
      expect(lengthsOf(checkpoints, 0)).toEqual([turn * 100, turn * 100 + 40]);
    }
  });

  it("give way where one sequence has most of them", () => {
    const checkpoints = new Checkpoints(4);
    for (const length of [100, 200, 300, 400]) add(checkpoints, length, 0);
    add(checkpoints, 50, 1);
    expect([0, 1].map((sequence) => lengthsOf(checkpoints, sequence).length)).toEqual([3, 1]);
    expect(lengthsOf(checkpoints, 0)).toContain(400);
    for (const length of [150, 250, 350]) add(checkpoints, length, 1);
    expect([0, 1].map((sequence) => lengthsOf(checkpoints, sequence).length)).toEqual([2, 2]);
  });

  it("that two sequences share outlive one of them, and are missed twice as much", () => {
    const checkpoints = new Checkpoints(2);
    add(checkpoints, 100);
    checkpoints.share(0, 1, 150);
    expect(lengthsOf(checkpoints, 1)).toEqual([100]);
    checkpoints.cut(0, 99);
    expect([0, 1].map((sequence) => lengthsOf(checkpoints, sequence))).toEqual([[], [100]]);
    checkpoints.cut(1, 100);
    expect(lengthsOf(checkpoints, 1)).toEqual([100]);
    checkpoints.cut(1, 0);
    expect(add(checkpoints, 300)).toBe(0);
  });
});

describe("a prompt is saved", () => {
  const at = (length: number, more: { cached?: number; shared?: number } = {}, most = 8) =>
    checkpointsOf({ length, cached: 0, shared: 0, ...more }, most);

  it("before what a template puts at its end, unless it is short", () => {
    expect(at(100)).toEqual([96]);
    expect(at(19)).toEqual([]);
    expect(at(100, { cached: 85 })).toEqual([]);
  });

  it("where another sequence parted from it", () => {
    expect(at(200, { shared: 50 })).toEqual([50, 196]);
    // What it goes on from needs no reading.
    expect(at(200, { cached: 50, shared: 50 })).toEqual([196]);
    expect(at(200, { cached: 60, shared: 50 })).toEqual([196]);
    expect(at(200, { shared: 199 })).toEqual([196]);
  });

  it("in growing distances from the end, as often as there are checkpoints", () => {
    expect(at(20_000)).toEqual([3612, 15_900, 18_972, 19_740, 19_996]);
    expect(at(20_000, { cached: 16_000 })).toEqual([18_972, 19_740, 19_996]);
    expect(at(20_000, { shared: 1000 }, 3)).toEqual([1000, 19_740, 19_996]);
    expect(at(20_000, {}, 0)).toEqual([]);
  });
});
