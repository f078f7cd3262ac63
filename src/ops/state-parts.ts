/**
 * What a sequence's layers remember, as bytes that every device reads and writes alike: a file of it goes on anywhere.
 * Keys and values are [positions, kvHeads, width] in the cache's type, as ggml stores it (q8_0: blocks of 34 bytes); a
 * state is f32, the inputs of its convolution [positions, channels], then its matrices [heads, rows, columns].
 */
import { rowBytes } from "../core/dtype.ts";
import { type Bytes, MiB, type Tokens } from "../core/units.ts";
import {
  cellsOf,
  type KvCells,
  type KvShape,
  keepsCheckpoints,
  recurrentBytes,
  recurrentLayer,
} from "./kv-shape.ts";

/** Of one layer, in one place: that of a sequence, or of a checkpoint behind them. */
export type StatePart = {
  /** Of the cache. */
  readonly layer: number;
  readonly bytes: Bytes;
} & (
  | {
      readonly kind: "keys" | "values";
      /** Positions [first, first + count). */
      readonly first: number;
      readonly count: number;
    }
  | { readonly kind: "state" }
);

/** Parts of keys and values are cut: they wait in memory, and pass between threads, one by one. */
const maxPartBytes: Bytes = 4 * MiB;

/**
 * All that a sequence of `length` tokens needs to go on, in an order that depends on the layers and `length` alone. "checkpoint":
 * what its layers would have forgotten when it goes back there; the rest is in the sequence.
 */
function* stateParts(
  kv: KvShape,
  length: Tokens,
  of: "sequence" | "checkpoint",
): Generator<StatePart, void, undefined> {
  for (const [layer, own] of kv.layers.entries()) {
    if (of === "checkpoint" && !keepsCheckpoints(own, kv.contextLength)) continue;
    const recurrent = recurrentLayer(kv, layer);
    if (recurrent !== undefined) yield { kind: "state", layer, bytes: recurrentBytes(recurrent) };
    const cells = cellsOf(kv, layer);
    if (cells === undefined) continue;
    // What the next token sees.
    const begin = own.kind === "window" ? Math.max(0, length + 1 - own.window) : 0;
    for (const kind of ["keys", "values"] as const) {
      const each = positionBytes(cells, kind);
      const most = Math.max(1, Math.floor(maxPartBytes / each));
      for (let first = begin; first < length; first += most) {
        const count = Math.min(most, length - first);
        yield { kind, layer, first, count, bytes: count * each };
      }
    }
  }
}

/**
 * Keys and values of the positions [first, first + count), of all layers that never forget. Those of a position depend on
 * the tokens up to it alone, so they are the same in every sequence that begins with these.
 */
export function* pageParts(
  kv: KvShape,
  first: Tokens,
  count: Tokens,
): Generator<StatePart & { readonly kind: "keys" | "values" }, void, undefined> {
  for (const [layer, own] of kv.layers.entries()) {
    const cells = cellsOf(kv, layer);
    if (cells === undefined || keepsCheckpoints(own, kv.contextLength)) continue;
    for (const kind of ["keys", "values"] as const) {
      yield { kind, layer, first, count, bytes: count * positionBytes(cells, kind) };
    }
  }
}

/** What the other layers remember behind `length` tokens. */
export function markParts(kv: KvShape, length: Tokens): Generator<StatePart, void, undefined> {
  return stateParts(kv, length, "checkpoint");
}

/** What a sequence holds: its tokens, and the lengths behind which it has checkpoints, rising. */
export interface HeldState {
  readonly tokens: Int32Array;
  readonly checkpoints: readonly Tokens[];
}

/** A part of a sequence, or of its checkpoint behind so many tokens. */
export interface PlacedPart {
  readonly part: StatePart;
  readonly checkpoint?: Tokens;
}

/** All parts of a sequence and of its checkpoints. */
export function* placedParts(
  kv: KvShape,
  { tokens, checkpoints }: HeldState,
): Generator<PlacedPart, void, undefined> {
  for (const part of stateParts(kv, tokens.length, "sequence")) yield { part };
  for (const checkpoint of checkpoints) {
    for (const part of stateParts(kv, checkpoint, "checkpoint")) yield { part, checkpoint };
  }
}

/** Of the keys, or the values, of one position. */
export function positionBytes(
  { kvHeads, keyWidth, valueWidth, type }: KvCells,
  kind: "keys" | "values",
): Bytes {
  return kvHeads * rowBytes(type.toUpperCase(), kind === "keys" ? keyWidth : valueWidth);
}

/** What was written of a sequence: its parts, which are what its next token sees, or pages of it and a mark behind them. */
export type Written = "parts" | "pages";

/**
 * The number of stored positions (`restorableFrom`) of a sequence of which no more was written than that: no layer goes
 * back further than it can, also one whose ring has room for the whole context.
 */
export function storedWhenWritten(kv: KvShape, length: Tokens, written: Written): number {
  return kv.layers.reduce((most, layer) => {
    if (layer.kind !== "window" || length < layer.window) return most;
    // Pages have all positions of a layer that never forgets.
    if (written === "pages" && !keepsCheckpoints(layer, kv.contextLength)) return most;
    return Math.max(most, length + 1 - layer.window + layer.cells);
  }, length);
}
