/**
 * The KV cache of the reference: f32 arrays holding what a cache of the program's type would give back.
 * A value is rounded when it is stored, by the codec of the type (q8_0: blocks of 32 within a head).
 */
import { ShapeError } from "../../core/errors.ts";
import type { KvShape } from "../../ops/program.ts";
import type { Codec } from "../../quant/codec.ts";
import { quantCodec } from "../../quant/codecs.ts";

interface KvPlace {
  readonly layer: number;
  readonly sequence: number;
  readonly position: number;
}

export interface KvCache {
  readonly shape: KvShape;
  /** Elements of one position: kvHeads · headDim. */
  readonly rowWidth: number;
  /** By layer: [sequences, contextLength, kvHeads, headDim]. */
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  /** Of a position, in the array of a layer. */
  offset(sequence: number, position: number): number;
  store(at: KvPlace, row: { readonly key: Float32Array; readonly value: Float32Array }): void;
  copySequence(from: number, to: number, length: number): void;
}

export function createKvCache(shape: KvShape): KvCache {
  const rowWidth = shape.kvHeads * shape.headDim;
  const round = rounding(shape);
  const layer = (): Float32Array =>
    new Float32Array(shape.sequences * shape.contextLength * rowWidth);
  const keys = Array.from({ length: shape.layers }, layer);
  const values = Array.from({ length: shape.layers }, layer);
  const offset = (sequence: number, position: number): number =>
    (sequence * shape.contextLength + position) * rowWidth;
  return {
    shape,
    rowWidth,
    keys,
    values,
    offset,
    store: (at, row) => {
      const to = offset(at.sequence, at.position);
      round(row.key, keys[at.layer]!.subarray(to, to + rowWidth));
      round(row.value, values[at.layer]!.subarray(to, to + rowWidth));
    },
    copySequence: (from, to, length) => {
      for (const data of [...keys, ...values]) {
        data.copyWithin(offset(to, 0), offset(from, 0), offset(from, length));
      }
    },
  };
}

/** Writes the row to the target as the cache would give it back. */
function rounding(shape: KvShape): (row: Float32Array, target: Float32Array) => void {
  if (shape.type === "f32") return (row, target) => target.set(row);
  const codec: Codec = quantCodec(shape.type === "f16" ? "F16" : "Q8_0");
  if (shape.headDim % codec.blockElements !== 0) {
    throw new ShapeError(
      `KV cache ${shape.type}`,
      `a head dimension that is a multiple of ${codec.blockElements}`,
      `${shape.headDim}`,
    );
  }
  const blocks = (shape.kvHeads * shape.headDim) / codec.blockElements;
  const stored = new Uint8Array(blocks * codec.blockBytes);
  return (row, target) => {
    codec.quantise(row, 0, stored, 0, blocks);
    codec.dequantise(stored, 0, target, 0, blocks);
  };
}
