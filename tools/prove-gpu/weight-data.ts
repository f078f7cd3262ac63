/** Weights to measure with: rows that differ, of small normal numbers in every type, made in milliseconds. */
import { rowBytes, tensorType, type WeightType } from "../../src/core/dtype.ts";
import type { Weight } from "../../src/ops/op.ts";
import { quantCodec } from "../../src/quant/codecs.ts";

export interface MatrixShape {
  readonly type: WeightType;
  readonly rows: number;
  readonly columns: number;
}

/** The first row's codes, rotated by whole blocks. */
export function weightData({ type, rows, columns }: MatrixShape): Uint8Array {
  const { blockElements, blockBytes } = tensorType(type);
  const values = Float32Array.from({ length: columns }, (_, i) => Math.cos(i * 1.7) / 8);
  const row = new Uint8Array(rowBytes(type, columns));
  quantCodec(type).quantise(values, 0, row, 0, columns / blockElements);
  const data = new Uint8Array(rows * row.length);
  for (let r = 0; r < rows; r++) {
    const shift = (r * blockBytes) % row.length;
    data.set(row.subarray(shift), r * row.length);
    data.set(row.subarray(0, shift), (r + 1) * row.length - shift);
  }
  return data;
}

/** `count` matrices that share `data` on the host and nothing on the card. */
export function weightsOf(
  shape: MatrixShape,
  data: Uint8Array,
  { count, name }: { readonly count: number; readonly name: string },
): readonly Weight[] {
  return Array.from({ length: count }, (_, i) => ({
    ...shape,
    name: `${name} ${i}`,
    bytes: { kind: "memory", data },
  }));
}

export function inputOf(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(i));
}

/** What is wrong with y = W x in a few rows: more than 1e-4 of Σ|terms| (f32 sums) off; undefined where nothing is. */
export function productProblem(
  { type, rows, columns, data }: MatrixShape & { readonly data: Uint8Array },
  x: Float32Array,
  y: Float32Array,
): string | undefined {
  const { blockElements } = tensorType(type);
  const w = new Float32Array(columns);
  for (const row of [0, 1, Math.floor(rows / 2), rows - 1]) {
    quantCodec(type).dequantise(data, row * rowBytes(type, columns), w, 0, columns / blockElements);
    let sum = 0;
    let size = 0;
    for (const [i, value] of w.entries()) {
      sum += value * x[i]!;
      size += Math.abs(value * x[i]!);
    }
    if (!(Math.abs(y[row]! - sum) <= 1e-4 * size)) return `row ${row} is ${y[row]}, not ${sum}`;
  }
  return undefined;
}
