/**
 * Some columns of a matrix [dim, neurons] as a matrix of their own: the down projection of a subset of neurons where
 * only the plain layout exists. F32, F16 and BF16 keep their bits; a block of quantised weights cannot be taken
 * apart, so those become F32 (four bytes a weight: prefer a transposed down projection).
 */
import { rowBytes, tensorType, type WeightType } from "../../core/dtype.ts";
import type { Weight } from "../../ops/op.ts";
import type { WeightPiece } from "./kernels/gemv.ts";
import { floatsOf, type RecordingBuffers } from "./recording-buffers.ts";
import { readWeight } from "./upload.ts";
import { packRows, rowLayout } from "./weight-layout.ts";

export function gatheredColumns(
  label: string,
  from: { readonly weight: Weight; readonly columns: Uint32Array },
  buffers: RecordingBuffers,
): readonly WeightPiece[] {
  const { weight, columns } = from;
  const type: WeightType = tensorType(weight.type).blockElements === 1 ? weight.type : "F32";
  const layout = rowLayout(type, columns.length);
  const perPiece = buffers.rowsPerPiece(label, { rowBytes: layout.gpuBytes, rows: weight.rows });
  const pieces: WeightPiece[] = [];
  for (let firstRow = 0; firstRow < weight.rows; firstRow += perPiece) {
    const part = someRows(weight, firstRow, Math.min(perPiece, weight.rows - firstRow));
    const make = (): Uint8Array => {
      const source = gather({ weight: part, columns }, type === weight.type);
      const target = new Uint8Array(part.rows * layout.gpuBytes);
      packRows(layout, { source, target, rows: part.rows });
      return target;
    };
    const buffer = buffers.madeMatrix(label, part.rows * layout.gpuBytes, make, columns);
    pieces.push({ buffer, type, columns: columns.length, firstRow, rows: part.rows });
  }
  return pieces;
}

function someRows(weight: Weight, first: number, rows: number): Weight {
  const { bytes } = weight;
  const begin = first * rowBytes(weight.type, weight.columns);
  const length = rows * rowBytes(weight.type, weight.columns);
  if (bytes.kind === "memory") {
    const data = bytes.data.subarray(begin, begin + length);
    return { ...weight, rows, bytes: { ...bytes, data } };
  }
  return { ...weight, rows, bytes: { ...bytes, offset: bytes.offset + begin, bytes: length } };
}

function gather(
  { weight, columns }: { readonly weight: Weight; readonly columns: Uint32Array },
  keepsBits: boolean,
): Uint8Array {
  if (!keepsBits) return gatherElements(floatsOf(weight), { weight, columns });
  const bytes = readWeight(weight.bytes);
  const { blockBytes } = tensorType(weight.type);
  const copy = bytes.slice();
  return blockBytes === 4
    ? gatherElements(new Float32Array(copy.buffer), { weight, columns })
    : gatherElements(new Uint16Array(copy.buffer), { weight, columns });
}

function gatherElements(
  values: Float32Array | Uint16Array,
  { weight, columns }: { readonly weight: Weight; readonly columns: Uint32Array },
): Uint8Array {
  const length = weight.rows * columns.length;
  const gathered =
    values instanceof Float32Array ? new Float32Array(length) : new Uint16Array(length);
  for (let row = 0, at = 0; row < weight.rows; row++) {
    for (const column of columns) gathered[at++] = values[row * weight.columns + column] ?? 0;
  }
  return new Uint8Array(gathered.buffer);
}
