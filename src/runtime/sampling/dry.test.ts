/** DRY, by hand: what a token loses is named in each test. Tokens are letters. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../core/random.ts";
import { Candidates } from "./candidates.ts";
import { type DrySettings, DryStage, type SequenceBreakers } from "./dry.ts";

const letters = "abcdefghijklmnopqrstuvwxyz.";
const settings: DrySettings = {
  dryMultiplier: 1,
  dryBase: 2,
  dryAllowedLength: 2,
  dryPenaltyLastN: 64,
};

/** The penalties of letters behind `text`, without those that lose nothing. */
function penalties(
  text: string,
  changes: Partial<DrySettings> = {},
  breakers: SequenceBreakers = new Map(),
): Readonly<Record<string, number>> {
  const stage = new DryStage({ ...settings, ...changes }, letters.length, breakers);
  const row = new Float32Array(letters.length);
  const candidates = new Candidates(1);
  for (const letter of text) {
    // Each step leaves nothing behind for the next one.
    candidates.load(row);
    stage.apply(candidates);
    row.fill(0);
    stage.accept(letters.indexOf(letter));
  }
  candidates.load(row);
  stage.apply(candidates);
  return Object.fromEntries(
    [...letters].map((letter, id) => [letter, -row[id]!] as const).filter(([, lost]) => lost !== 0),
  );
}

const breaker = (first: string, ...tails: readonly string[]): SequenceBreakers =>
  new Map([
    [letters.indexOf(first), tails.map((tail) => [...tail].map((c) => letters.indexOf(c)))],
  ]);

describe("DRY", () => {
  it("punishes what would go on with a repetition, by its length", () => {
    // "abc" was followed by c, "bc" by y.
    expect(penalties("abccbcyabc")).toEqual({ c: 2, y: 1 });
    expect(penalties("abcdxabcd")).toEqual({ x: 4 });
  });

  it("takes the longest of several repetitions", () => {
    expect(penalties("bcxyabcxzabc")).toEqual({ x: 2 });
  });

  it("allows repetitions shorter than the allowed length", () => {
    expect(penalties("abxab", { dryAllowedLength: 3 })).toEqual({});
    expect(penalties("abxab", { dryAllowedLength: 1 })).toEqual({ x: 2 });
  });

  it("looks no further back than its window", () => {
    expect(penalties("abxab", { dryPenaltyLastN: 5 })).toEqual({ x: 1 });
    expect(penalties("abxcab", { dryPenaltyLastN: 5 })).toEqual({});
    expect(penalties("abxcab", { dryPenaltyLastN: 2 })).toEqual({});
  });

  it("ends repetitions at a breaker, and never punishes one", () => {
    expect(penalties("ab.cdxab.cd")).toEqual({ x: 8 });
    expect(penalties("ab.cdxab.cd", {}, breaker(".", ""))).toEqual({ x: 1 });
    expect(penalties("cd.ab.cdxab.cd", {}, breaker(".", ""))).toEqual({ x: 1 });
    expect(penalties("ab.xab", {}, breaker(".", ""))).toEqual({});
  });

  it("knows breakers of several tokens by what follows the first", () => {
    const text = "q.abcxq.abc";
    expect(penalties(text)).toEqual({ x: 8 });
    expect(penalties(text, {}, breaker(".", "a"))).toEqual({ x: 1 });
    expect(penalties(text, {}, breaker(".", "a", "abc"))).toEqual({});
    expect(penalties(text, {}, breaker(".", "z"))).toEqual({ x: 8 });
  });

  it("has no penalty beyond the floats", () => {
    const { a = 0 } = penalties("a".repeat(60), { dryBase: 1e9 });
    expect(a).toBeGreaterThan(1e35);
    expect(a).toBeLessThan(Infinity);
  });

  it("finds what a search through all places finds", () => {
    const random = createRandom(11);
    for (let round = 0; round < 200; round++) {
      const text = Array.from({ length: 40 }, () => letters[random.integer(2 + (round % 3))]).join(
        "",
      );
      const window = 5 + random.integer(40);
      const recent = text.slice(-window);
      const expected: Record<string, number> = {};
      for (let end = 1; end < recent.length; end++) {
        let length = 0;
        while (length < end && recent[end - 1 - length] === recent.at(-1 - length)) length++;
        const next = recent[end]!;
        if (length >= 2) expected[next] = Math.max(expected[next] ?? 0, 2 ** (length - 2));
      }
      expect(penalties(text, { dryPenaltyLastN: window }), text).toEqual(expected);
    }
  });
});
