import fc from "fast-check";
import { expect, it } from "vitest";
import { LimitError } from "../core/errors.ts";
import { PairMerger, type PairPriority } from "./pair-merger.ts";

/** The definition: look at all pairs, merge the best, the leftmost of equals, until none is left. */
function mergeNaively(boundaries: readonly number[], priorityOf: PairPriority): number[] {
  const remaining = [...boundaries];
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    let bestAt = -1;
    for (let at = 1; at + 1 < remaining.length; at++) {
      const priority = priorityOf(remaining[at - 1]!, remaining[at]!, remaining[at + 1]!);
      if (priority < best) {
        best = priority;
        bestAt = at;
      }
    }
    if (bestAt === -1) return remaining;
    remaining.splice(bestAt, 1);
  }
}

const anyRules = fc.dictionary(
  fc.string({ unit: fc.constantFrom("a", "b"), minLength: 2, maxLength: 5 }),
  fc.nat(9),
);
const anyText = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 40 });

it("the queue merges the same pairs as looking at all of them each time", () => {
  const merger = new PairMerger();
  fc.assert(
    fc.property(anyText, anyRules, (text, rules) => {
      const boundaries = Array.from({ length: text.length + 1 }, (_, offset) => offset);
      const priorityOf: PairPriority = (start, _, end) =>
        rules[text.slice(start, end)] ?? Number.POSITIVE_INFINITY;
      expect(merger.merge(boundaries, priorityOf)).toEqual(mergeNaively(boundaries, priorityOf));
    }),
    { seed: 7, numRuns: 1000 },
  );
});

it("more symbols than memory is allowed for are refused with the number, before any work", () => {
  const boundaries = { length: 2 ** 25 + 2 };
  const merge = (): number[] => new PairMerger().merge(boundaries, () => 0);
  expect(merge).toThrow(LimitError);
  expect(merge).toThrow("33554433 symbols without a place to cut; at most 33554432");
});
