/** Logits of a finished predictor over rows: fc2·relu(fc1·x). What is stored may be rounded; this judges what is stored. */
import type { MultiplyMatrices } from "../../core/matrix-product.ts";
import type { LayerRows } from "./train-rows.ts";

export interface PredictorMatrices {
  readonly rank: number;
  readonly fc1: Float32Array; // [rank, dim]
  readonly fc2: Float32Array; // [neurons, rank]
}

const rowsAtATime = 1024;

/** [rows.count, neurons] */
export async function scorePredictor(
  { rank, fc1, fc2 }: PredictorMatrices,
  rows: LayerRows,
  multiply: MultiplyMatrices,
): Promise<Float32Array> {
  const { dim, neurons, count } = rows;
  const scores = new Float32Array(count * neurons);
  const hidden = new Float32Array(Math.min(count, rowsAtATime) * rank);
  for (let row = 0; row < count; row += rowsAtATime) {
    const some = Math.min(rowsAtATime, count - row);
    const a = rows.x.subarray(row * dim, (row + some) * dim);
    const middle = hidden.subarray(0, some * rank);
    const shape = { rows: some, transposed: "b" } as const;
    await multiply({ ...shape, columns: rank, depth: dim, a, b: fc1, c: middle });
    for (let i = 0; i < middle.length; i++) middle[i] = Math.max(0, middle[i] ?? 0);
    const c = scores.subarray(row * neurons, (row + some) * neurons);
    await multiply({ ...shape, columns: neurons, depth: rank, a: middle, b: fc2, c });
  }
  return scores;
}
