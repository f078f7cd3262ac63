/**
 * A program: everything a backend must know to run a model (or its part of one), shapes fixed.
 * A step is one run over rows {sequence, position, token}: prefill, decode and batches differ only in their rows.
 */
import { rowBytes } from "../core/dtype.ts";
import type { Bytes } from "../core/units.ts";
import type { Op, Slot } from "./op.ts";

export type KvType = "f32" | "f16" | "q8_0";

/** The KV cache, owned by the executable: [layers][sequences][contextLength][kvHeads][headDim], keys and values. */
export interface KvShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly contextLength: number;
  readonly sequences: number;
  readonly type: KvType;
}

/** Bytes of keys and values of all layers and sequences, each value in the cache's type. */
export function kvBytes({ layers, kvHeads, headDim, ...shape }: KvShape): Bytes {
  const positions = shape.contextLength * shape.sequences;
  return 2 * layers * positions * rowBytes(shape.type.toUpperCase(), kvHeads * headDim);
}

/** The ops between two synchronisations. `outputs` are copied to the host when the segment has run. */
export interface Segment {
  readonly name: string;
  readonly ops: readonly Op[];
  readonly outputs: readonly Slot[];
  /** The ops of each layer of the model: code that places layers on several devices cuts here. */
  readonly layers?: readonly OpRange[];
}

/** Ops [first, end) of a segment. */
export interface OpRange {
  readonly first: number;
  readonly end: number;
}

export interface Program {
  readonly slots: readonly Slot[];
  readonly kv: KvShape;
  readonly segments: readonly Segment[];
  /** A step has at most so many rows. */
  readonly maxRows: number;
  /** At most so many rows of a step want an output. */
  readonly maxOutputs: number;
}

/**
 * The rows of one step. Arrays have room for maxRows; the first `rowCount` count. Rows of one sequence
 * stand in rising order of position; all of a step's keys and values are stored before attention reads them.
 */
export interface Step {
  rowCount: number;
  readonly sequence: Int32Array;
  readonly position: Int32Array;
  readonly token: Int32Array;
  outputCount: number;
  /** Rows that want an output, rising. */
  readonly outputRow: Int32Array;
}

export function createStep(maxRows: number, maxOutputs: number): Step {
  return {
    rowCount: 0,
    sequence: new Int32Array(maxRows),
    position: new Int32Array(maxRows),
    token: new Int32Array(maxRows),
    outputCount: 0,
    outputRow: new Int32Array(maxOutputs),
  };
}
