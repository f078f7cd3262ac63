/** The book of the cache: what each sequence holds, and how far back its layers and checkpoints can go. */
import { describe, expect, it } from "vitest";
import { LimitError } from "../core/errors.ts";
import { type KvLayer, type KvShape, windowLayer } from "../ops/kv-shape.ts";
import { SequenceCache } from "./sequence-cache.ts";

const full: KvLayer = { kind: "full", kvHeads: 1, keyWidth: 4, valueWidth: 4 };
const recurrent: KvLayer = {
  kind: "recurrent",
  conv: { positions: 1, channels: 4 },
  state: { heads: 1, rows: 2, columns: 2 },
};
/** A ring of 64 cells under a window of 20. */
const windowed = windowLayer(
  { kvHeads: 1, keyWidth: 4, valueWidth: 4, window: 20 },
  { contextLength: 400, maxRows: 32 },
);

function cacheOf(layer: KvLayer, more: Partial<KvShape> = {}): SequenceCache {
  const limits = { contextLength: 400, sequences: 2, checkpoints: 4, type: "f32" } as const;
  return new SequenceCache({ layers: [full, layer], ...limits, ...more });
}

function fill(cache: SequenceCache, count: number, sequence = 0): void {
  const from = cache.length(sequence);
  for (let i = from; i < count; i++) cache.append(sequence, i);
}

describe("the sequence cache", () => {
  it("knows the common beginning of a prompt and what it holds", () => {
    const cache = cacheOf(full);
    for (const token of [5, 6, 7]) cache.append(1, token);
    expect(cache.commonPrefix(1, [5, 6, 9])).toBe(2);
    expect(cache.commonPrefix(0, [5, 6, 9])).toBe(0);
  });

  it("forgets the end when it is truncated and never grows by it", () => {
    const cache = cacheOf(full);
    for (const token of [1, 2, 3]) cache.append(0, token);
    cache.truncate(0, 9);
    expect(cache.length(0)).toBe(3);
    cache.truncate(0, 1);
    expect(Array.from(cache.tokens(0))).toEqual([1]);
    expect(cache.append(0, 4)).toBe(1);
  });

  it("refuses a token past the context and a sequence it does not have", () => {
    const cache = cacheOf(full, { contextLength: 1 });
    cache.append(0, 1);
    expect(() => cache.append(0, 2)).toThrow(LimitError);
    expect(() => cache.append(3, 1)).toThrow(LimitError);
  });
});

describe("a sequence with a state", () => {
  it("goes on where it stands, at a checkpoint, or from nothing", () => {
    const cache = cacheOf(recurrent);
    fill(cache, 100);
    expect(cache.save(0)).toBe(0);
    fill(cache, 150);
    expect(cache.save(0)).toBe(1);
    fill(cache, 160);
    expect([160, 159, 150, 149, 99].map((length) => cache.reach(0, length))).toEqual([
      { length: 160 },
      { length: 150, slot: 1 },
      { length: 150, slot: 1 },
      { length: 100, slot: 0 },
      { length: 0 },
    ]);
    expect(() => cache.truncate(0, 150)).toThrow(/holds 160 tokens and cannot be cut to 150/);
    expect(cache.keep(0, 149)).toEqual({ length: 100, slot: 0 });
    expect(cache.append(0, 7)).toBe(100);
    // The later checkpoint is of tokens that are forgotten.
    fill(cache, 170);
    expect(cache.reach(0, 160)).toEqual({ length: 100, slot: 0 });
  });

  it("shares its checkpoints with a copy, and each forgets them for itself", () => {
    const cache = cacheOf(recurrent);
    fill(cache, 100);
    cache.save(0);
    fill(cache, 150);
    expect(cache.copy(0, 1, 120)).toEqual({ length: 100, slot: 0 });
    expect(Array.from(cache.tokens(1))).toEqual(Array.from(cache.tokens(0).slice(0, 100)));
    expect(cache.copy(0, 0, 120)).toEqual({ length: 100, slot: 0 });
    expect(cache.length(0)).toBe(150);
    cache.truncate(0, 0);
    fill(cache, 180, 1);
    expect(cache.reach(1, 170)).toEqual({ length: 100, slot: 0 });
    expect(cache.reach(0, 170)).toEqual({ length: 0 });
  });

  it("copied where it stands needs no checkpoint", () => {
    const cache = cacheOf(recurrent);
    fill(cache, 50);
    expect(cache.copy(0, 1, 60)).toEqual({ length: 50 });
    expect(cache.reach(1, 50)).toEqual({ length: 50 });
  });
});

describe("a sequence with rings", () => {
  it("goes back as far as was not written over, however often it went back before", () => {
    const cache = cacheOf(windowed);
    fill(cache, 64);
    expect(cache.reach(0, 1)).toEqual({ length: 1 });
    fill(cache, 100);
    // The rings hold 36 to 99, and the token at 55 sees 36.
    expect([55, 54].map((length) => cache.reach(0, length).length)).toEqual([55, 0]);
    cache.truncate(0, 60);
    expect([55, 54].map((length) => cache.reach(0, length).length)).toEqual([55, 0]);
    expect(cache.copy(0, 1, 58)).toEqual({ length: 58 });
    expect([55, 54].map((length) => cache.reach(1, length).length)).toEqual([55, 0]);
    expect(cache.copy(0, 1, 54)).toEqual({ length: 0 });
    expect(cache.length(1)).toBe(0);
    cache.truncate(0, 0);
    fill(cache, 3);
    expect(cache.reach(0, 1)).toEqual({ length: 1 });
  });

  it("goes back to a checkpoint, and from there as far as the rings held then", () => {
    const cache = cacheOf(windowed);
    fill(cache, 100);
    const slot = cache.save(0);
    fill(cache, 300);
    expect(cache.reach(0, 255)).toEqual({ length: 255 });
    expect(cache.reach(0, 254)).toEqual({ length: 100, slot });
    expect(cache.reach(0, 99)).toEqual({ length: 0 });
    cache.keep(0, 200);
    expect(cache.reach(0, 55)).toEqual({ length: 55 });
    expect(cache.reach(0, 54)).toEqual({ length: 0 });
  });
});
