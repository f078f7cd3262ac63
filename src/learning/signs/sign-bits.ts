/**
 * A first guess of the bits of the "sign" predictor. SparseInfer (2411.12692) takes the signs of the gate row; here a bit
 * says which sign of x − centre speaks for the neuron, by the best linear guess from all signs of x. Closed form, from the
 * same rows that calibrate the margins; sign-refine.ts goes on from here. docs/decisions/0005-predictor-training.md has the gain.
 */
import type { MultiplyMatrices } from "../../core/matrix-product.ts";
import { type LayerRows, maskBytes } from "../predictor/train-rows.ts";
import { invertSymmetric } from "./sign-inverse.ts";

/** A layer's gate matrix (up, if ungated), f32 [neurons, dim]. */
export type SignWeights = Float32Array;

/** What is compared with the signs of x − centre. */
export interface SignDirections {
  readonly centre: Float32Array; // [dim]
  /** 1 or −1, one for each bit. */
  readonly directions: Float32Array; // [neurons, dim]
}

export interface GuessedDirections {
  readonly centre: Float32Array; // [dim]
  /** Their signs are directions; how large a value is says how sure its sign is. Each neuron's mean square is 1. */
  readonly values: Float32Array; // [neurons, dim]
}

/** Above this dim the signs count as independent: inverting their covariance would take minutes a layer. */
const maxInvertedDim = 2048;
/** Share of each sign's own variance added to it: a few thousand rows do not know small correlations. */
const ridge = 0.1;
/** A neuron that was active this often is known as well by its own rows as by its weights. */
const trustedActivations = 400;
/** Rows of x that are turned into signs at a time. */
const rowsAtATime = 1024;

export async function guessDirections(
  weights: SignWeights,
  rows: LayerRows,
  multiply: MultiplyMatrices,
): Promise<GuessedDirections> {
  const { dim, neurons } = rows;
  const centre = meanOf(rows);
  const sums = await sumProducts(rows, centre, multiply);
  const { inverse, guess } = await decorrelate(sums, rows, multiply);
  const product = { rows: neurons, columns: dim, depth: dim };
  // What u = w·(x − centre) is, guessed from the signs of x − centre.
  const fromWeights = new Float32Array(neurons * dim);
  await multiply({ ...product, a: weights, b: guess, c: fromWeights });
  // Which signs were seen when the neuron was active.
  const fromActivity = new Float32Array(neurons * dim);
  await multiply({ ...product, a: sums.activity, b: inverse, c: fromActivity });
  return { centre, values: mix(fromWeights, fromActivity, { dim, counts: sums.counts }) };
}

function meanOf({ x, count, dim }: LayerRows): Float32Array {
  const sums = new Float64Array(dim);
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < dim; i++) sums[i] = (sums[i] ?? 0) + (x[row * dim + i] ?? 0);
  }
  return Float32Array.from(sums, (sum) => sum / Math.max(1, count));
}

/** Negative → −1, else 1. */
export function directionsOf(values: Float32Array): Float32Array {
  return values.map((value) => (value < 0 ? -1 : 1));
}

/** x < centre → −1, else 1, as the op has it. */
export function signsOf(
  x: Float32Array,
  { centre, dim }: { readonly centre: Float32Array; readonly dim: number },
): Float32Array {
  return x.map((value, at) => (value - (centre[at % dim] ?? 0) < 0 ? -1 : 1));
}

interface SignSums {
  readonly means: Float32Array; // of the signs, [dim]
  readonly signs: Float32Array; // Σ s sᵀ [dim, dim]
  readonly values: Float32Array; // Σ (x − centre) sᵀ [dim, dim]
  readonly activity: Float32Array; // Σ active (s − mean)ᵀ [neurons, dim]
  readonly counts: Float64Array; // Σ active [neurons]
}

async function sumProducts(
  rows: LayerRows,
  centre: Float32Array,
  multiply: MultiplyMatrices,
): Promise<SignSums> {
  const { dim, neurons, count } = rows;
  const means = new Float64Array(dim);
  const signs = new Float32Array(dim * dim);
  const values = new Float32Array(dim * dim);
  const activity = new Float32Array(neurons * dim);
  const counts = new Float64Array(neurons);
  for (let row = 0; row < count; row += rowsAtATime) {
    const depth = Math.min(rowsAtATime, count - row);
    const x = rows.x.subarray(row * dim, (row + depth) * dim);
    const s = signsOf(x, { centre, dim });
    s.forEach((sign, at) => {
      means[at % dim] = (means[at % dim] ?? 0) + sign / count;
    });
    const centred = x.map((value, at) => value - (centre[at % dim] ?? 0));
    const active = activeMatrix(rows, { row, depth });
    active.forEach((isActive, at) => {
      counts[at % neurons] = (counts[at % neurons] ?? 0) + isActive;
    });
    const product = { columns: dim, depth, transposed: "a", into: "add", b: s } as const;
    await multiply({ ...product, rows: dim, a: s, c: signs });
    await multiply({ ...product, rows: dim, a: centred, c: values });
    await multiply({ ...product, rows: neurons, a: active, c: activity });
  }
  for (let at = 0; at < activity.length; at++) {
    const expected = (counts[Math.floor(at / dim)] ?? 0) * (means[at % dim] ?? 0);
    activity[at] = (activity[at] ?? 0) - expected;
  }
  return { means: Float32Array.from(means), signs, values, activity, counts };
}

/** 1 where active, [depth, neurons]. */
function activeMatrix(
  { neurons, active }: LayerRows,
  { row, depth }: { readonly row: number; readonly depth: number },
): Float32Array {
  const bytes = maskBytes(neurons);
  const matrix = new Float32Array(depth * neurons);
  for (let i = 0; i < depth; i++) {
    for (let neuron = 0; neuron < neurons; neuron++) {
      const bit = (active[(row + i) * bytes + (neuron >> 3)] ?? 0) >> (neuron & 7);
      matrix[i * neurons + neuron] = bit & 1;
    }
  }
  return matrix;
}

/** Σ⁻¹ of the signs' covariance, and E[(x − centre) sᵀ] Σ⁻¹; both [dim, dim]. */
async function decorrelate(
  { means, signs, values }: SignSums,
  { dim, count }: LayerRows,
  multiply: MultiplyMatrices,
): Promise<{ readonly inverse: Float32Array; readonly guess: Float32Array }> {
  const covariance = Float64Array.from(signs, (sum, at) => {
    const [i, j] = [Math.floor(at / dim), at % dim];
    const shared = sum / count - (means[i] ?? 0) * (means[j] ?? 0);
    if (i === j) return shared + ridge;
    return dim > maxInvertedDim ? 0 : shared;
  });
  const inverse = Float32Array.from(invertSymmetric(covariance, dim));
  const guess = new Float32Array(dim * dim);
  const a = values.map((sum) => sum / count);
  await multiply({ rows: dim, columns: dim, depth: dim, a, b: inverse, c: guess });
  return { inverse, guess };
}

/** Both guesses at one length, the neuron's own activity weighing more the more there was of it. */
function mix(
  fromWeights: Float32Array,
  fromActivity: Float32Array,
  { dim, counts }: { readonly dim: number; readonly counts: Float64Array },
): Float32Array {
  const values = new Float32Array(fromWeights.length);
  counts.forEach((count, neuron) => {
    const row = { begin: neuron * dim, end: (neuron + 1) * dim };
    const trust = count / (count + trustedActivations);
    const own = Math.sqrt(trust) / lengthOf(fromActivity, row);
    const prior = Math.sqrt(1 - trust) / lengthOf(fromWeights, row);
    for (let at = row.begin; at < row.end; at++) {
      values[at] = own * (fromActivity[at] ?? 0) + prior * (fromWeights[at] ?? 0);
    }
    const scale = Math.sqrt(dim) / lengthOf(values, row);
    for (let at = row.begin; at < row.end; at++) values[at] = scale * (values[at] ?? 0);
  });
  return values;
}

/** At least a tiny number, so that a row of zeros can be divided by it. */
function lengthOf(
  values: Float32Array,
  { begin, end }: { readonly begin: number; readonly end: number },
): number {
  let sum = 0;
  for (let at = begin; at < end; at++) sum += (values[at] ?? 0) ** 2;
  return Math.max(1e-30, Math.sqrt(sum));
}
