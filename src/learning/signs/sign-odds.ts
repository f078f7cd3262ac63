/**
 * From scores of the "sign" predictor to the log odds of being active, by linear discriminant analysis of each neuron:
 * what makes the scores of different neurons comparable, how often each fires included.
 */
import type { MultiplyMatrices } from "../../core/matrix-product.ts";
import { type LayerRows, maskBytes } from "../predictor/train-rows.ts";
import { type SignDirections, signsOf } from "./sign-bits.ts";

const rowsAtATime = 1024;

/** log odds of being active = slope·score + offset */
export interface Odds {
  readonly slopes: Float64Array;
  readonly offsets: Float64Array;
}

/** Two normal distributions of the score with one variance, for active and inactive. */
export async function fitOdds(
  found: SignDirections,
  rows: LayerRows,
  multiply: MultiplyMatrices,
): Promise<Odds> {
  const { neurons, count } = rows;
  const moments = await sumScores(found, rows, multiply);
  const slopes = new Float64Array(neurons);
  const offsets = new Float64Array(neurons);
  for (let neuron = 0; neuron < neurons; neuron++) {
    const active = moments.active[neuron] ?? 0;
    const inactive = count - active;
    const sumActive = moments.sumActive[neuron] ?? 0;
    const sumInactive = (moments.sum[neuron] ?? 0) - sumActive;
    const meanActive = sumActive / Math.max(1, active);
    const meanInactive = sumInactive / Math.max(1, inactive);
    const within =
      (moments.squares[neuron] ?? 0) - active * meanActive ** 2 - inactive * meanInactive ** 2;
    // Scores come in steps of 2: a variance of 1 is their rounding.
    const variance = within / Math.max(1, count) + 1;
    const slope = Math.max(minSlope, (meanActive - meanInactive) / variance);
    slopes[neuron] = slope;
    offsets[neuron] =
      Math.log((active + 0.5) / (inactive + 0.5)) - (slope * (meanActive + meanInactive)) / 2;
  }
  return { slopes, offsets };
}

/** A neuron whose score says nothing is judged by how often it was active. */
const minSlope = 1e-3;

interface ScoreMoments {
  readonly active: Float64Array;
  readonly sumActive: Float64Array;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

async function sumScores(
  found: SignDirections,
  rows: LayerRows,
  multiply: MultiplyMatrices,
): Promise<ScoreMoments> {
  const { neurons, active: masks } = rows;
  const bytes = maskBytes(neurons);
  const active = new Float64Array(neurons);
  const sumActive = new Float64Array(neurons);
  const sum = new Float64Array(neurons);
  const squares = new Float64Array(neurons);
  await visitScores(found, rows, multiply, (scores, first) => {
    for (let at = 0; at < scores.length; at++) {
      const neuron = at % neurons;
      const row = first + Math.floor(at / neurons);
      const score = scores[at] ?? 0;
      const bit = ((masks[row * bytes + (neuron >> 3)] ?? 0) >> (neuron & 7)) & 1;
      active[neuron] = (active[neuron] ?? 0) + bit;
      sumActive[neuron] = (sumActive[neuron] ?? 0) + bit * score;
      sum[neuron] = (sum[neuron] ?? 0) + score;
      squares[neuron] = (squares[neuron] ?? 0) + score * score;
    }
  });
  return { active, sumActive, sum, squares };
}

/** dim − 2·popcount(bits XOR signs(x − centre)) as a product of ones and minus ones: exact in f32. */
export async function visitScores(
  { centre, directions }: SignDirections,
  rows: LayerRows,
  multiply: MultiplyMatrices,
  visit: (scores: Float32Array, firstRow: number) => void,
): Promise<void> {
  const { dim, neurons, count } = rows;
  const buffer = new Float32Array(Math.min(count, rowsAtATime) * neurons);
  for (let row = 0; row < count; row += rowsAtATime) {
    const some = Math.min(rowsAtATime, count - row);
    const a = signsOf(rows.x.subarray(row * dim, (row + some) * dim), { centre, dim });
    const c = buffer.subarray(0, some * neurons);
    const shape = { rows: some, columns: neurons, depth: dim, transposed: "b" } as const;
    await multiply({ ...shape, a, b: directions, c });
    visit(c, row);
  }
}
