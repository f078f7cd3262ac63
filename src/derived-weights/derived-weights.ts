/** What methods need beside the weights of the file, made from them: norms of rows and columns, sign bits of gate rows. */

import { setImmediate } from "node:timers/promises";
import { openWeight } from "../backends/weight-reader.ts";
import type { Model } from "../model/model.ts";
import { requireBlock } from "../model/weights.ts";
import type { DownProjection, Weight } from "../ops/op.ts";
import { signRowBytes } from "../sparsity/sidecar/names.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";

/** 64 rows of 16 384 columns are a million elements: some milliseconds. */
const rowsBetweenPauses = 64;

/** ‖column n‖ of W_down, that is ‖row n‖ of its transpose, f32 [neurons]. Reads either layout. */
export async function downRowNorms({ layout, weight }: DownProjection): Promise<Float32Array> {
  if (layout === "columns") return columnNorms([weight]);
  const norms = new Float32Array(weight.rows);
  await eachRow(weight, (row, r) => {
    norms[r] = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  });
  return norms;
}

/** By layer, norms of the down rows: the sidecar's, else made from the weights. */
export async function downNormsOf(
  model: Model,
  sidecar: Sidecar | undefined,
): Promise<readonly Float32Array[]> {
  if (sidecar?.downNorms !== undefined) return sidecar.downNorms;
  const norms: Float32Array[] = [];
  for (const layer of model.layers) norms.push(await downRowNorms(requireBlock(layer).down));
  return norms;
}

/** ‖column j‖ of matrices with as many columns, as if they stood below one another: f32 [columns]. */
export async function columnNorms(weights: readonly Weight[]): Promise<Float32Array> {
  const sums = new Float64Array(weights[0]?.columns ?? 0);
  for (const weight of weights) {
    await eachRow(weight, (row) => {
      for (let c = 0; c < sums.length; c++) sums[c] = (sums[c] ?? 0) + (row[c] ?? 0) ** 2;
    });
  }
  return Float32Array.from(sums, Math.sqrt);
}

/** `row` is overwritten by the next one. */
async function eachRow(
  weight: Weight,
  visit: (row: Float32Array, index: number) => void,
): Promise<void> {
  const source = openWeight(weight);
  const row = new Float32Array(weight.columns);
  try {
    for (let r = 0; r < weight.rows; r++) {
      source.readRow(r, row);
      visit(row, r);
      if (r % rowsBetweenPauses === 0) await setImmediate();
    }
  } finally {
    source.close();
  }
}

/**
 * Sign bits of a weight's rows, as SparsityMethod "sign" has them: 1 = negative, little-endian, rows padded to 64.
 * [rows, ceil(columns / 64)·8]
 */
export async function makeSigns(weight: Weight): Promise<Uint8Array> {
  const { rows, columns } = weight;
  const bytesPerRow = signRowBytes(columns);
  const signs = new Uint8Array(rows * bytesPerRow);
  await eachRow(weight, (row, r) => {
    for (let begin = 0; begin < columns; begin += 8) {
      const end = Math.min(begin + 8, columns);
      let byte = 0;
      for (let c = begin; c < end; c++) if ((row[c] ?? 0) < 0) byte |= 1 << (c - begin);
      signs[r * bytesPerRow + (begin >> 3)] = byte;
    }
  });
  return signs;
}
