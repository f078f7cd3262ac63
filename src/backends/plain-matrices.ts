/**
 * Work on whole matrices in plain TypeScript, for backends that have nothing faster: the transposed copy of a weight,
 * made strip by strip in bounded memory, and the product that training takes.
 */
import { setImmediate } from "node:timers/promises";
import { rowBytes, type WeightType } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import { multiplyPlainly } from "../core/matrix-product.ts";
import type { Weight } from "../ops/op.ts";
import { quantCodec } from "../quant/codecs.ts";
import type { MatrixWork } from "./backend.ts";
import { openWeight } from "./weight-reader.ts";

export const plainMatrices: MatrixWork = { transpose: transposePlainly, multiply: multiplyPlainly };

/** Elements of a strip: 4 MiB of float32, transposed in some 10 ms, so the event loop keeps running. */
const stripElements = 1 << 20;

/** The rows in memory, as a weight of their own. @throws ShapeError unless a row is a whole number of blocks. */
export async function transposePlainly(weight: Weight, type: WeightType): Promise<Weight> {
  const bytesPerRow = rowBytes(type, weight.rows);
  const data = new Uint8Array(weight.columns * bytesPerRow);
  let done = 0;
  for await (const piece of transposedPieces(weight, type)) {
    data.set(piece, done);
    done += piece.length;
  }
  return {
    name: `${weight.name} transposed`,
    type,
    rows: weight.columns,
    columns: weight.rows,
    bytes: { kind: "memory", data },
  };
}

/** The rows of W^T in order, some at a time; a piece is valid until the next is asked for. */
export async function* transposedPieces(
  weight: Weight,
  type: WeightType,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { rows: dim, columns: neurons } = weight;
  const to = quantCodec(type);
  if (dim % to.blockElements !== 0) {
    throw new ShapeError(weight.name, `rows a multiple of ${to.blockElements}`, String(dim));
  }
  const { blockElements } = quantCodec(weight.type);
  const blocks = Math.max(1, Math.floor(stripElements / dim / blockElements));
  const width = Math.min(neurons, blocks * blockElements);
  const strip = new Float32Array(dim * width);
  const values = new Float32Array(dim * width);
  const piece = new Uint8Array(width * rowBytes(type, dim));
  const source = openWeight(weight);
  try {
    for (let first = 0; first < neurons; first += width) {
      const count = Math.min(width, neurons - first);
      source.read({ first, count }, strip);
      transposeInto(values, strip, { rows: dim, columns: count });
      to.quantise(values, 0, piece, 0, (count * dim) / to.blockElements);
      yield piece.subarray(0, count * rowBytes(type, dim));
      await setImmediate();
    }
  } finally {
    source.close();
  }
}

/** [rows, columns] → [columns, rows] */
function transposeInto(
  target: Float32Array,
  source: Float32Array,
  shape: { readonly rows: number; readonly columns: number },
): void {
  const { rows, columns } = shape;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) target[c * rows + r] = source[r * columns + c] ?? 0;
  }
}
