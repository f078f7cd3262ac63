/** What methods need beside the weights of the file, made from them: norms of down rows and sign bits of gate rows. */
import { setImmediate } from "node:timers/promises";
import type { DownProjection, Weight } from "../ops/op.ts";
import { signRowBytes } from "../sparsity/sidecar-names.ts";
import { openWeight } from "./weight-reader.ts";

/** 64 rows of 16 384 columns are a million elements: some milliseconds. */
const rowsBetweenPauses = 64;

/** ‖column n‖ of W_down, that is ‖row n‖ of its transpose, f32 [neurons]. Reads either layout. */
export async function downRowNorms({ layout, weight }: DownProjection): Promise<Float32Array> {
  const neurons = layout === "columns" ? weight.columns : weight.rows;
  const sums = new Float64Array(neurons);
  const source = openWeight(weight);
  const row = new Float32Array(weight.columns);
  try {
    for (let r = 0; r < weight.rows; r++) {
      source.readRow(r, row);
      for (let c = 0; c < weight.columns; c++) {
        const value = row[c] ?? 0;
        const neuron = layout === "columns" ? c : r;
        sums[neuron] = (sums[neuron] ?? 0) + value * value;
      }
      if (r % rowsBetweenPauses === 0) await setImmediate();
    }
  } finally {
    source.close();
  }
  return Float32Array.from(sums, Math.sqrt);
}

/**
 * Sign bits of a weight's rows, as SparsityMethod "sign" has them: 1 = negative, little-endian, rows padded to 64.
 * [rows, ceil(columns / 64)·8]
 */
export async function makeSigns(weight: Weight): Promise<Uint8Array> {
  const { rows, columns } = weight;
  const bytesPerRow = signRowBytes(columns);
  const signs = new Uint8Array(rows * bytesPerRow);
  const source = openWeight(weight);
  const row = new Float32Array(columns);
  try {
    for (let r = 0; r < rows; r++) {
      source.readRow(r, row);
      for (let begin = 0; begin < columns; begin += 8) {
        const end = Math.min(begin + 8, columns);
        let byte = 0;
        for (let c = begin; c < end; c++) if ((row[c] ?? 0) < 0) byte |= 1 << (c - begin);
        signs[r * bytesPerRow + (begin >> 3)] = byte;
      }
      if (r % rowsBetweenPauses === 0) await setImmediate();
    }
  } finally {
    source.close();
  }
  return signs;
}
