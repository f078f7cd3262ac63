/** A part of a weight as a weight of its own, whose bytes stay where they lie. */
import { rowBytes } from "../core/dtype.ts";
import type { Weight } from "./op.ts";

/** Rows [start, start + rows) of a matrix, as a matrix in the same bytes: parts of a fused attn_qkv, an expert of a stack. */
export function rowRange(weight: Weight, start: number, rows: number): Weight {
  const stride = rowBytes(weight.type, weight.columns);
  const { bytes } = weight;
  const name = `${weight.name}[${start}:${start + rows}]`;
  const part =
    bytes.kind === "file"
      ? { ...bytes, offset: bytes.offset + start * stride, bytes: rows * stride }
      : { ...bytes, data: bytes.data.subarray(start * stride, (start + rows) * stride) };
  return { ...weight, name, rows, bytes: part };
}
