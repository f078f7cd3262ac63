/**
 * Better bits for the "sign" predictor: the signs of latent values that descend the loss of a logistic regression over the
 * signs of x, the gradient passing through the rounding to ±1 unchanged (straight-through estimator, Bengio et al. 2013).
 * Neurons do not share anything, so that they are refined in slices of bounded memory.
 */
import type { MultiplyMatrices } from "../../core/matrix-product.ts";
import { createRandom } from "../../core/random.ts";
import { sigmoid } from "../predictor/sigmoid.ts";
import { cosineRate, createTrained, descend, type Trained } from "../predictor/train-adam.ts";
import { shuffle } from "../predictor/train-predictor.ts";
import { type LayerRows, maskBytes } from "../predictor/train-rows.ts";
import { directionsOf, type GuessedDirections, signsOf } from "./sign-bits.ts";
import type { Odds } from "./sign-odds.ts";

export interface RefineOptions {
  /** Of the guess; they move along. */
  readonly odds: Odds;
  readonly multiply: MultiplyMatrices;
  readonly seed: number;
  /** After some steps: the share of them that is done. */
  readonly onShare?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/** Rows of a step. */
const batch = 256;
/** Measured on the bundled model's sparsest layer: half the steps give 1 % more neurons, four times the steps 1 % fewer. */
const minSteps = 400;
/** Few rows are learnt by heart sooner than they teach. */
const maxPasses = 4;
const learningRate = 0.01;
/** Of a missed active neuron against one selected in vain: the cut lies where one in ten is active. */
const positiveWeight = 10;
/** Latent values beyond this get no gradient, nor grow: their signs stay as they are. */
const largestLatent = 1.5;
/** Values of a slice: four arrays of them are 256 MiB. */
const valuesAtATime = 1 << 24;

/** Directions ±1 [neurons, dim]. */
export async function refineDirections(
  guess: GuessedDirections,
  rows: LayerRows,
  options: RefineOptions,
): Promise<Float32Array> {
  const { dim, neurons } = rows;
  const directions = new Float32Array(neurons * dim);
  const perSlice = Math.max(1, Math.floor(valuesAtATime / dim));
  for (let first = 0; first < neurons; first += perSlice) {
    const end = Math.min(neurons, first + perSlice);
    const slice = createSlice(guess.values, options.odds, { first, end, dim });
    const onShare = (done: number): void =>
      options.onShare?.((first + done * (end - first)) / neurons);
    await refineSlice(slice, { centre: guess.centre, rows, options: { ...options, onShare } });
    directions.set(directionsOf(slice.latent.weights), first * dim);
  }
  return directions;
}

/** Neurons `first` … `end` − 1, with score·slope/√dim + offset as their log odds. */
interface Slice {
  readonly first: number;
  readonly count: number;
  readonly latent: Trained; // [count, dim]
  readonly slopes: Trained; // [count]
  readonly offsets: Trained; // [count]
}

function createSlice(
  values: Float32Array,
  { slopes, offsets }: Odds,
  { first, end, dim }: { readonly first: number; readonly end: number; readonly dim: number },
): Slice {
  const latent = values.slice(first * dim, end * dim);
  clamp(latent);
  const root = Math.sqrt(dim);
  const weighted = Math.log(positiveWeight);
  return {
    first,
    count: end - first,
    latent: createTrained(latent),
    slopes: createTrained(Float32Array.from(slopes.slice(first, end), (slope) => slope * root)),
    offsets: createTrained(Float32Array.from(offsets.slice(first, end), (one) => one + weighted)),
  };
}

interface Refining {
  readonly centre: Float32Array;
  readonly rows: LayerRows;
  readonly options: RefineOptions;
}

async function refineSlice(slice: Slice, refining: Refining): Promise<void> {
  const { rows, options } = refining;
  const perPass = Math.ceil(rows.count / batch);
  const passes = Math.min(maxPasses, Math.ceil(minSteps / perPass));
  const order = Uint32Array.from({ length: rows.count }, (_, row) => row);
  const random = createRandom(options.seed);
  const work = createWork(slice.count, rows.dim);
  for (let pass = 0, step = 0; pass < passes; pass++) {
    shuffle(order, random.integer);
    for (let begin = 0; begin < rows.count; begin += batch) {
      options.signal?.throwIfAborted();
      const chosen = order.subarray(begin, begin + batch);
      await findGradients(slice, work, { ...refining, chosen });
      step++;
      options.onShare?.(step / (passes * perPass));
      const rate = cosineRate(learningRate, (step - 1) / (passes * perPass));
      const adam = { learningRate: rate, weightDecay: 0, beta1: 0.9, beta2: 0.99 };
      for (const trained of [slice.latent, slice.slopes, slice.offsets]) {
        descend(trained, adam, step);
      }
      clamp(slice.latent.weights);
    }
  }
}

interface Work {
  readonly x: Float32Array; // [batch, dim]
  readonly directions: Float32Array; // [count, dim]
  readonly scores: Float32Array; // [batch, count]
}

function createWork(count: number, dim: number): Work {
  return {
    x: new Float32Array(batch * dim),
    directions: new Float32Array(count * dim),
    scores: new Float32Array(batch * count),
  };
}

async function findGradients(
  { first, count, latent, slopes, offsets }: Slice,
  work: Work,
  { centre, rows, chosen, options }: Refining & { readonly chosen: Uint32Array },
): Promise<void> {
  const { dim } = rows;
  chosen.forEach((row, i) => {
    work.x.set(rows.x.subarray(row * dim, (row + 1) * dim), i * dim);
  });
  const signs = signsOf(work.x.subarray(0, chosen.length * dim), { centre, dim });
  const { directions } = work;
  for (let at = 0; at < directions.length; at++) {
    directions[at] = (latent.weights[at] ?? 0) < 0 ? -1 : 1;
  }
  const scores = work.scores.subarray(0, chosen.length * count);
  const { multiply } = options;
  const forward = { rows: chosen.length, columns: count, depth: dim, transposed: "b" } as const;
  await multiply({ ...forward, a: signs, b: directions, c: scores });
  turnIntoErrors(scores, { slopes, offsets, root: Math.sqrt(dim) }, { rows, chosen, first });
  const back = { rows: count, columns: dim, depth: chosen.length, transposed: "a" } as const;
  await multiply({ ...back, a: scores, b: signs, c: latent.gradient });
  for (let at = 0; at < directions.length; at++) {
    if (Math.abs(latent.weights[at] ?? 0) >= largestLatent) latent.gradient[at] = 0;
  }
}

/** From scores [chosen, count] to the loss's derivatives by them; those by slopes and offsets beside. */
function turnIntoErrors(
  scores: Float32Array,
  odds: { readonly slopes: Trained; readonly offsets: Trained; readonly root: number },
  labels: { readonly rows: LayerRows; readonly chosen: Uint32Array; readonly first: number },
): void {
  const { slopes, offsets, root } = odds;
  const { rows, chosen, first } = labels;
  const count = slopes.weights.length;
  const bytes = maskBytes(rows.neurons);
  const share = 1 / chosen.length;
  slopes.gradient.fill(0);
  offsets.gradient.fill(0);
  for (let row = 0; row < chosen.length; row++) {
    const mask = (chosen[row] ?? 0) * bytes;
    for (let neuron = 0; neuron < count; neuron++) {
      const at = row * count + neuron;
      const slope = (slopes.weights[neuron] ?? 0) / root;
      const score = scores[at] ?? 0;
      const probability = sigmoid(slope * score + (offsets.weights[neuron] ?? 0));
      const place = first + neuron;
      const label = ((rows.active[mask + (place >> 3)] ?? 0) >> (place & 7)) & 1;
      const error = share * (1 + label * (positiveWeight - 1)) * (probability - label);
      slopes.gradient[neuron] = (slopes.gradient[neuron] ?? 0) + (error * score) / root;
      offsets.gradient[neuron] = (offsets.gradient[neuron] ?? 0) + error;
      scores[at] = error * slope;
    }
  }
}

function clamp(latent: Float32Array): void {
  for (let at = 0; at < latent.length; at++) {
    latent[at] = Math.max(-largestLatent, Math.min(largestLatent, latent[at] ?? 0));
  }
}
