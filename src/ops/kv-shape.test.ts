import { describe, expect, it } from "vitest";
import {
  cellsOf,
  type KvLayer,
  type KvShape,
  kvBytes,
  layerStateBytes,
  restorableFrom,
  windowLayer,
} from "./kv-shape.ts";

const heads = { kvHeads: 4, keyWidth: 64, valueWidth: 32 };
const full: KvLayer = { kind: "full", ...heads };
const limits = { contextLength: 1000, maxRows: 100 };

function shape(layers: readonly KvLayer[], type: KvShape["type"] = "f32"): KvShape {
  return { layers, contextLength: limits.contextLength, sequences: 3, type };
}

describe("the state of a layer", () => {
  it("takes keys and values of every position in the cache's type, 34 bytes for 32 values of q8_0", () => {
    const positions = 3 * 1000;
    const bytes = (type: KvShape["type"]) => layerStateBytes(shape([full], type), 0);
    expect(bytes("f32")).toEqual({ keys: 1024 * positions, values: 512 * positions, state: 0 });
    expect(bytes("f16")).toEqual({ keys: 512 * positions, values: 256 * positions, state: 0 });
    expect(bytes("q8_0")).toEqual({ keys: 272 * positions, values: 136 * positions, state: 0 });
  });

  it.each([
    ["a window and the rows of a step, in whole tiles", 100, 256],
    ["a window of one", 1, 128],
    ["the context where the window is as long", 1000, 1000],
    ["the context where the window is longer", 2 ** 31, 1000],
  ])("holds %s", (_, window, cells) => {
    const layer = windowLayer({ ...heads, window }, limits);
    expect(cellsOf(shape([layer]), 0)).toEqual({ ...heads, cells, places: 3, type: "f32" });
    expect(kvBytes(shape([layer]))).toBe(4 * 4 * (64 + 32) * 3 * cells);
    // A ring forgets: a checkpoint holds as much as a sequence's ring. One that holds the context never needs any.
    const places = cells < 1000 ? 3 + 5 : 3;
    const kept = { ...shape([layer]), checkpoints: 5 };
    expect(kvBytes(kept)).toBe(4 * 4 * (64 + 32) * places * cells);
  });

  it("goes back as far as its ring holds what the next token sees", () => {
    const layer = windowLayer({ ...heads, window: 100 }, limits);
    const longest = windowLayer({ ...heads, window: 1000 }, limits);
    const conv = { positions: 3, channels: 10 };
    const recurrent: KvLayer = {
      kind: "recurrent",
      conv,
      state: { heads: 2, rows: 4, columns: 5 },
    };
    expect(restorableFrom(shape([full, longest]), 1000)).toBe(0);
    expect(restorableFrom(shape([full, layer]), 256)).toBe(0);
    // Of 257 positions the ring holds the last 256, and the token at position 100 sees 1 to 99 besides itself.
    expect(restorableFrom(shape([full, layer]), 257)).toBe(100);
    expect(restorableFrom(shape([full, layer]), 1000)).toBe(1000 - 256 + 99);
    expect(restorableFrom(shape([full, layer, recurrent]), 257)).toBe(257);
  });

  it("is of fixed size where it is recurrent, f32 whatever the cache's type", () => {
    const conv = { positions: 3, channels: 10 };
    const layer: KvLayer = { kind: "recurrent", conv, state: { heads: 2, rows: 4, columns: 5 } };
    expect(cellsOf(shape([layer]), 0)).toBeUndefined();
    expect(kvBytes(shape([layer, layer], "q8_0"))).toBe(2 * 3 * 4 * (30 + 40));
    const kept = { ...shape([layer, full]), checkpoints: 2 };
    expect(kvBytes(kept) - kvBytes(shape([layer, full]))).toBe(2 * 4 * (30 + 40));
  });
});
