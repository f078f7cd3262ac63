/**
 * A margin for each neuron of the "sign" predictor, so that all together reach a recall with the fewest neurons: scores
 * become log odds, neuron by neuron, and one cut over all of them becomes margins again.
 */
import type { MultiplyMatrices } from "../../core/matrix-product.ts";
import { signRowBytes } from "../../sparsity/sidecar/names.ts";
import type { SelectionQuality, SelectionTarget } from "../predictor/predictor-quality.ts";
import { judgeScores, type TrainingRows } from "../predictor/train-predictor.ts";
import type { LayerRows } from "../predictor/train-rows.ts";
import {
  directionsOf,
  guessDirections,
  type SignDirections,
  type SignWeights,
} from "./sign-bits.ts";
import { fitOdds, type Odds, visitScores } from "./sign-odds.ts";
import { refineDirections } from "./sign-refine.ts";

export interface SignLayer {
  /** As SparsityMethod "sign" has them. */
  readonly signs: Uint8Array; // [neurons, signRowBytes(dim)]
  readonly margins: Int32Array; // [neurons]
  readonly centre: Float32Array; // [dim]
  /** On held-out rows that had no part in the margins. */
  readonly quality: SelectionQuality;
}

export interface SignOptions {
  readonly target: SelectionTarget;
  readonly multiply: MultiplyMatrices;
  readonly seed: number;
  /** The share that is done. */
  readonly onShare?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/** Shares of the time, on the bundled model: the guess and its cut, refinement; another cut is the rest. */
const beforeRefining = 0.3;
const whileRefining = 0.6;

/** Reads `weights` f32 [neurons, dim] and the rows of one layer; `rows.train` is the normed input. */
export async function calibrateSigns(
  weights: SignWeights,
  rows: TrainingRows,
  options: SignOptions,
): Promise<SignLayer> {
  const guess = await guessDirections(weights, rows.train, options.multiply);
  const { centre } = guess;
  const first = await cutSigns({ centre, directions: directionsOf(guess.values) }, rows, options);
  const refined = await refineDirections(guess, rows.train, {
    ...options,
    odds: first.odds,
    onShare: (done) => options.onShare?.(beforeRefining + whileRefining * done),
  });
  const second = await cutSigns({ centre, directions: refined }, rows, options);
  // Few rows may teach the refinement nothing that holds for others.
  const best = second.onCutRows.ratio < first.onCutRows.ratio ? second : first;
  return {
    signs: packSigns(best.found.directions, rows.train),
    margins: marginsAt(best.cut, best.odds, rows.train.dim),
    centre,
    quality: best.quality,
  };
}

interface CutSigns {
  readonly found: SignDirections;
  readonly odds: Odds;
  /** In log odds. */
  readonly cut: number;
  /** On the rows that chose the cut, and on others. */
  readonly onCutRows: SelectionQuality;
  readonly quality: SelectionQuality;
}

async function cutSigns(
  found: SignDirections,
  { train, heldOut }: TrainingRows,
  { target, multiply }: SignOptions,
): Promise<CutSigns> {
  const odds = await fitOdds(found, train, multiply);
  const { neurons } = heldOut;
  const logOdds = await scoresOf(found, heldOut, multiply);
  for (let at = 0; at < logOdds.length; at++) {
    const neuron = at % neurons;
    logOdds[at] = (odds.slopes[neuron] ?? 0) * (logOdds[at] ?? 0) + (odds.offsets[neuron] ?? 0);
  }
  return { found, odds, ...judgeScores(logOdds, heldOut, target) };
}

/** score ≥ margin exactly where the log odds reach the cut; scores are whole, between −dim and dim. */
function marginsAt(cut: number, { slopes, offsets }: Odds, dim: number): Int32Array {
  return Int32Array.from(slopes, (slope, neuron) => {
    const margin = Math.ceil((cut - (offsets[neuron] ?? 0)) / slope);
    return Math.max(-dim, Math.min(dim + 1, margin));
  });
}

async function scoresOf(
  found: SignDirections,
  rows: LayerRows,
  multiply: MultiplyMatrices,
): Promise<Float32Array> {
  const all = new Float32Array(rows.count * rows.neurons);
  await visitScores(found, rows, multiply, (scores, first) => {
    all.set(scores, first * rows.neurons);
  });
  return all;
}

function packSigns(directions: Float32Array, { dim, neurons }: LayerRows): Uint8Array {
  const bytes = signRowBytes(dim);
  const signs = new Uint8Array(neurons * bytes);
  directions.forEach((direction, at) => {
    if (direction > 0) return;
    const place = Math.floor(at / dim) * bytes + ((at % dim) >> 3);
    signs[place] = (signs[place] ?? 0) | (1 << ((at % dim) & 7));
  });
  return signs;
}
