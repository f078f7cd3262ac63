/** Reads rows of a weight, or a stretch of their columns, as float32: for the weights that are derived from others at load. */
import { rowBytes } from "../core/dtype.ts";
import type { Weight } from "../ops/op.ts";
import { quantCodec } from "../quant/codecs.ts";
import { openWeightBytes } from "./weight-bytes.ts";

export interface WeightReader {
  /** [rows, count] of the columns first … first + count; both whole blocks. */
  read(columns: { readonly first: number; readonly count: number }, target: Float32Array): void;
  readRow(row: number, target: Float32Array): void;
  close(): void;
}

export function openWeight(weight: Weight): WeightReader {
  const codec = quantCodec(weight.type);
  const { rows, columns } = weight;
  const bytesPerRow = rowBytes(weight.type, columns);
  const bytes = new Uint8Array(bytesPerRow);
  const source = openWeightBytes(weight.bytes);
  const readPart = (
    row: number,
    part: { readonly first: number; readonly count: number },
    target: Float32Array,
    at: number,
  ): void => {
    const begin = (part.first / codec.blockElements) * codec.blockBytes;
    const blocks = part.count / codec.blockElements;
    const piece = bytes.subarray(0, blocks * codec.blockBytes);
    source.read(row * bytesPerRow + begin, piece);
    codec.dequantise(piece, 0, target, at, blocks);
  };
  return {
    read: (part, target) => {
      for (let row = 0; row < rows; row++) readPart(row, part, target, row * part.count);
    },
    readRow: (row, target) => readPart(row, { first: 0, count: columns }, target, 0),
    close: () => source[Symbol.dispose](),
  };
}
