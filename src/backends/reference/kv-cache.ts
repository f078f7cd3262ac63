/**
 * The keys and values of the reference: f32 arrays holding what a cache of the program's type would give back.
 * A value is rounded when it is stored, by the codec of the type (q8_0: blocks of 32 within a head).
 */
import { ShapeError } from "../../core/errors.ts";
import { cellsOf, type KvShape, type KvType } from "../../ops/kv-shape.ts";
import type { Codec } from "../../quant/codec.ts";
import { quantCodec } from "../../quant/codecs.ts";

interface KvPlace {
  readonly layer: number;
  readonly sequence: number;
  readonly position: number;
}

/** The keys of a layer, or its values: [places, cells, kvHeads, width]. */
export interface CacheRows {
  readonly data: Float32Array;
  /** Elements of a head. */
  readonly width: number;
  /** Elements of a position: of all heads. */
  readonly rowWidth: number;
  /** Where a position begins in `data`. Of a ring: where the newest position of its cell begins. */
  offset(sequence: number, position: number): number;
}

interface LayerCache {
  readonly kvHeads: number;
  readonly cells: number;
  readonly places: number;
  readonly keys: CacheRows;
  readonly values: CacheRows;
}

export interface KvCache {
  readonly shape: KvShape;
  /** By layer; undefined for a layer without keys and values. */
  readonly layers: readonly (LayerCache | undefined)[];
  store(at: KvPlace, row: { readonly key: Float32Array; readonly value: Float32Array }): void;
  copySequence(from: number, to: number, length: number): void;
  /** Whole rings, of the layers that have both places: those of the sequences, then the checkpoints. */
  copyPlace(from: number, to: number): void;
}

export function createKvCache(shape: KvShape): KvCache {
  const layers = shape.layers.map((_, layer) => createLayer(shape, layer));
  return {
    shape,
    layers,
    store: (at, row) => {
      const own = layers[at.layer]!;
      storeRow(own.keys, own.roundKey, at, row.key);
      storeRow(own.values, own.roundValue, at, row.value);
    },
    copySequence: (from, to, length) => {
      for (const layer of layers) {
        if (layer === undefined) continue;
        for (const rows of [layer.keys, layer.values]) {
          copyCells(rows.data, rows, { from, to, cells: Math.min(length, layer.cells) });
        }
      }
    },
    copyPlace: (from, to) => {
      for (const layer of layers) {
        if (layer === undefined || Math.max(from, to) >= layer.places) continue;
        const copy = { from, to, cells: layer.cells };
        for (const rows of [layer.keys, layer.values]) copyCells(rows.data, rows, copy);
      }
    },
  };
}

/** The first cells of one sequence to another, in an array that is laid out as `rows`. */
export function copyCells(
  data: Float32Array | Float64Array,
  rows: CacheRows,
  { from, to, cells }: { readonly from: number; readonly to: number; readonly cells: number },
): void {
  const begin = rows.offset(from, 0);
  data.copyWithin(rows.offset(to, 0), begin, begin + cells * rows.rowWidth);
}

type Round = (row: Float32Array, target: Float32Array) => void;

function createLayer(
  shape: KvShape,
  layer: number,
): (LayerCache & { readonly roundKey: Round; readonly roundValue: Round }) | undefined {
  const own = cellsOf(shape, layer);
  if (own === undefined) return undefined;
  const { kvHeads, keyWidth, valueWidth, cells, places } = own;
  const rows = (width: number): CacheRows => {
    const rowWidth = kvHeads * width;
    return {
      data: new Float32Array(places * cells * rowWidth),
      width,
      rowWidth,
      offset: (sequence, position) => (sequence * cells + (position % cells)) * rowWidth,
    };
  };
  return {
    kvHeads,
    cells,
    places,
    keys: rows(keyWidth),
    values: rows(valueWidth),
    roundKey: rounding(shape.type, { kvHeads, width: keyWidth }),
    roundValue: rounding(shape.type, { kvHeads, width: valueWidth }),
  };
}

function storeRow(rows: CacheRows, round: Round, at: KvPlace, row: Float32Array): void {
  const to = rows.offset(at.sequence, at.position);
  round(row, rows.data.subarray(to, to + rows.rowWidth));
}

/** Writes the row to the target as the cache would give it back. */
function rounding(
  type: KvType,
  { kvHeads, width }: { readonly kvHeads: number; readonly width: number },
): Round {
  if (type === "f32") return (row, target) => target.set(row);
  const codec: Codec = quantCodec(type === "f16" ? "F16" : "Q8_0");
  if (width % codec.blockElements !== 0) {
    throw new ShapeError(
      `KV cache ${type}`,
      `a head dimension that is a multiple of ${codec.blockElements}`,
      `${width}`,
    );
  }
  const blocks = (kvHeads * width) / codec.blockElements;
  const stored = new Uint8Array(blocks * codec.blockBytes);
  return (row, target) => {
    codec.quantise(row, 0, stored, 0, blocks);
    codec.dequantise(stored, 0, target, 0, blocks);
  };
}
