import { describe, expect, it } from "vitest";
import { LimitError } from "../core/errors.ts";
import { SequenceCache } from "./sequence-cache.ts";

describe("the sequence cache", () => {
  it("knows the common beginning of a prompt and what it holds", () => {
    const cache = new SequenceCache(2, 8);
    for (const token of [5, 6, 7]) cache.append(1, token);
    expect(cache.commonPrefix(1, [5, 6, 9])).toBe(2);
    expect(cache.commonPrefix(0, [5, 6, 9])).toBe(0);
  });

  it("forgets the end when it is truncated and never grows by it", () => {
    const cache = new SequenceCache(1, 4);
    for (const token of [1, 2, 3]) cache.append(0, token);
    cache.truncate(0, 9);
    expect(cache.length(0)).toBe(3);
    cache.truncate(0, 1);
    expect(Array.from(cache.tokens(0))).toEqual([1]);
    expect(cache.append(0, 4)).toBe(1);
  });

  it("keeps all or nothing of a sequence that cannot go back", () => {
    const cache = new SequenceCache(1, 8, false);
    for (const token of [1, 2, 3]) cache.append(0, token);
    expect([cache.keepable(0, 2), cache.keepable(0, 3), cache.keepable(0, 9)]).toEqual([0, 3, 3]);
    expect(() => cache.truncate(0, 2)).toThrow(/holds 3 tokens and cannot be cut to 2/);
    expect(cache.keep(0, 3)).toBe(3);
    expect(cache.keep(0, 2)).toBe(0);
    cache.truncate(0, 0);
    expect(cache.append(0, 4)).toBe(0);
  });

  it("goes back to a saved state alone, until the sequence is cut below it", () => {
    const cache = new SequenceCache(2, 8, false);
    for (const token of [1, 2, 3]) cache.append(0, token);
    cache.noteSaved(0);
    for (const token of [4, 5]) cache.append(0, token);
    expect([cache.keepable(0, 2), cache.keepable(0, 4), cache.keepable(0, 5)]).toEqual([0, 3, 5]);
    expect(cache.keep(0, 4)).toBe(3);
    expect(cache.append(0, 6)).toBe(3);
    expect(cache.keep(0, 3)).toBe(3);
    cache.copy(0, 1, 3);
    expect(cache.saved(1)).toBe(0);
    cache.truncate(0, 0);
    expect(cache.saved(0)).toBe(0);
  });

  it("goes back as far as was not written over, however often it went back before", () => {
    // As a ring of 4 positions under a window of 2: the next token sees the last one that is held.
    const cache = new SequenceCache(2, 16, true, (stored) => (stored <= 4 ? 0 : stored - 3));
    for (const token of [1, 2, 3, 4]) cache.append(0, token);
    expect(cache.keepable(0, 1)).toBe(1);
    for (const token of [5, 6]) cache.append(0, token);
    expect([cache.keepable(0, 2), cache.keepable(0, 3), cache.keepable(0, 7)]).toEqual([0, 3, 6]);
    cache.truncate(0, 4);
    expect(cache.keepable(0, 2)).toBe(0);
    cache.copy(0, 1, 4);
    expect([cache.keepable(1, 2), cache.keepable(1, 3)]).toEqual([0, 3]);
    expect(() => cache.copy(0, 1, 2)).toThrow(/2 tokens of sequence 0 cannot be copied.*from 3/);
    expect(cache.length(1)).toBe(4);
    cache.truncate(0, 0);
    for (const token of [7, 8]) cache.append(0, token);
    expect(cache.keepable(0, 1)).toBe(1);
  });

  it("refuses a token past the context and a sequence it does not have", () => {
    const cache = new SequenceCache(1, 1);
    cache.append(0, 1);
    expect(() => cache.append(0, 2)).toThrow(LimitError);
    expect(() => cache.append(3, 1)).toThrow(LimitError);
  });
});
