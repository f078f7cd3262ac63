/**
 * What each layer remembers of a sequence, as data: keys and values of all positions or of a window of them, or a state
 * of fixed size. The memory is the executable's; its shapes are decided here, once for all backends.
 */
import { rowBytes } from "../core/dtype.ts";
import type { Bytes } from "../core/units.ts";

export type KvType = "f32" | "f16" | "q8_0";

/** Keys and values of a position: [kvHeads, keyWidth] and [kvHeads, valueWidth]. */
export interface KvHeads {
  readonly kvHeads: number;
  readonly keyWidth: number;
  readonly valueWidth: number;
}

/** The state of one layer. Ops name a layer by its place in `KvShape.layers`. */
export type KvLayer =
  /** Every position of the context. */
  | (KvHeads & { readonly kind: "full" })
  /**
   * The positions that a token of this layer sees, itself included, and those that a step stores besides: a ring of
   * `cells` positions, in which position p lies in cell p mod cells. See `windowLayer`.
   */
  | (KvHeads & { readonly kind: "window"; readonly window: number; readonly cells: number })
  /** A state of fixed size, f32 whatever the cache's type; zero before position 0. */
  | RecurrentLayer
  /** Nothing: its attention reads the keys and values of another layer, by that layer's place. */
  | { readonly kind: "none" };

/** Of each sequence: the last inputs of a causal convolution, and the matrix of each head of a linear attention. */
export interface RecurrentLayer {
  readonly kind: "recurrent";
  readonly conv: { readonly positions: number; readonly channels: number };
  readonly state: { readonly heads: number; readonly rows: number; readonly columns: number };
}

/** What an executable remembers: for each layer and sequence the state that the layer declares. */
export interface KvShape {
  readonly layers: readonly KvLayer[];
  readonly contextLength: number;
  readonly sequences: number;
  /** Slots for copies of the layers that cannot go back (`keepsCheckpoints`), beside the sequences. Default 0. */
  readonly checkpoints?: number;
  readonly type: KvType;
}

/** Keys and values of a layer as they lie in memory: in each place, `cells` positions. */
export interface KvCells extends KvHeads {
  readonly cells: number;
  /** Of the sequences, then of the checkpoints where the layer has them. */
  readonly places: number;
  readonly type: KvType;
}

/** A backend's kernels walk the context in tiles of so many positions; a ring of whole tiles never breaks one. */
const ringTile = 64;

/** Kernels count positions in 32 bits, one of them a sign. */
export const maxWindow: number = 2 ** 31 - 1;

/** The first position that a token at `position` sees through a window; without one it sees all. */
export function firstSeen(position: number, window: number | undefined): number {
  return window === undefined ? 0 : Math.max(0, position + 1 - window);
}

/** A layer whose tokens see `window` positions, in programs with steps of at most `maxRows` rows. */
export function windowLayer(
  heads: KvHeads & { readonly window: number },
  limits: { readonly contextLength: number; readonly maxRows: number },
): Extract<KvLayer, { readonly kind: "window" }> {
  const { kvHeads, keyWidth, valueWidth, window } = heads;
  const cells = Math.min(ringCells(window, limits.maxRows), limits.contextLength);
  return { kind: "window", kvHeads, keyWidth, valueWidth, window, cells };
}

/** A step stores its rows before the first of them looks back over its window. Whole tiles. */
function ringCells(window: number, maxRows: number): number {
  return Math.ceil((window + maxRows - 1) / ringTile) * ringTile;
}

/** Whether a layer's cells suffice for steps of so many rows, and never break a tile. */
export function holdsItsWindow(
  layer: KvLayer,
  limits: { readonly contextLength: number; readonly maxRows: number },
): boolean {
  if (layer.kind !== "window" || layer.cells === limits.contextLength) return true;
  const { cells, window } = layer;
  return cells % ringTile === 0 && cells >= ringCells(window, limits.maxRows);
}

/**
 * The shortest length, other than 0, to which a sequence may be cut back and go on, when `stored` is one more than the
 * highest position that was stored in it since it last began at 0. Layers of all positions can go back anywhere, a
 * window layer as far as its ring still holds what the next token sees, a recurrent layer nowhere. A checkpoint goes
 * further: it brings back what was stored when it was saved.
 */
export function restorableFrom(kv: Pick<KvShape, "layers">, stored: number): number {
  return kv.layers.reduce((least, layer) => Math.max(least, layerRestorableFrom(layer, stored)), 0);
}

/** As restorableFrom, of one layer. */
export function layerRestorableFrom(layer: KvLayer, stored: number): number {
  switch (layer.kind) {
    case "full":
    case "none":
      return 0;
    case "window":
      return stored <= layer.cells ? 0 : stored - layer.cells + layer.window - 1;
    case "recurrent":
      return stored;
    default:
      return layer satisfies never;
  }
}

/** The cells of a layer with keys and values; undefined for a layer of another kind, or none. */
export function cellsOf(kv: KvShape, layer: number): KvCells | undefined {
  const own = kv.layers[layer];
  if (own === undefined || own.kind === "recurrent" || own.kind === "none") return undefined;
  const { kvHeads, keyWidth, valueWidth } = own;
  const cells = own.kind === "full" ? kv.contextLength : own.cells;
  const places = keepsCheckpoints(own, kv.contextLength) ? placesOf(kv) : kv.sequences;
  return { kvHeads, keyWidth, valueWidth, cells, places, type: kv.type };
}

/** As cellsOf, for an op whose layer checkProgram has judged. */
export function requireCells(kv: KvShape, layer: number): KvCells {
  const cells = cellsOf(kv, layer);
  if (cells === undefined) throw new RangeError(`layer ${layer} holds no keys and values`);
  return cells;
}

/** The layer, where it has a state of fixed size. */
export function recurrentLayer(kv: KvShape, layer: number): RecurrentLayer | undefined {
  const own = kv.layers[layer];
  return own?.kind === "recurrent" ? own : undefined;
}

/** Bytes of keys, of values, and of a state of fixed size, of one layer over all sequences. */
export interface LayerStateBytes {
  readonly keys: Bytes;
  readonly values: Bytes;
  readonly state: Bytes;
}

export function layerStateBytes(kv: KvShape, layer: number): LayerStateBytes {
  const own = kv.layers[layer];
  const none = { keys: 0, values: 0, state: 0 };
  if (own?.kind === "recurrent") return { ...none, state: placesOf(kv) * recurrentBytes(own) };
  const cells = cellsOf(kv, layer);
  if (cells === undefined) return none;
  const positions = cells.cells * cells.places;
  const bytes = (width: number): Bytes =>
    positions * rowBytes(kv.type.toUpperCase(), cells.kvHeads * width);
  return { ...none, keys: bytes(cells.keyWidth), values: bytes(cells.valueWidth) };
}

/** How many states a layer has that keeps checkpoints: one for each sequence, then those. */
export function placesOf({ sequences, checkpoints = 0 }: KvShape): number {
  return sequences + checkpoints;
}

/**
 * Whether a layer forgets what a sequence that goes back would need: a recurrent layer at every row, a ring when it turns.
 * Then a checkpoint holds a copy of what it remembers; other layers still have it.
 */
export function keepsCheckpoints(layer: KvLayer, contextLength: number): boolean {
  switch (layer.kind) {
    case "full":
    case "none":
      return false;
    case "window":
      return layer.cells < contextLength;
    case "recurrent":
      return true;
    default:
      return layer satisfies never;
  }
}

/** Of one state. */
export function recurrentBytes({ conv, state }: RecurrentLayer): Bytes {
  return 4 * (conv.positions * conv.channels + state.heads * state.rows * state.columns);
}

/** Bytes of the states of all layers and sequences. */
export function kvBytes(kv: KvShape): Bytes {
  return kv.layers.reduce((sum, _, layer) => {
    const { keys, values, state } = layerStateBytes(kv, layer);
    return sum + keys + values + state;
  }, 0);
}
