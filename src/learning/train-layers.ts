/**
 * Trains the predictors that a model lacks, layer after layer: finds each one's hidden size, stores it in a type that
 * decodes fast, judges what was stored, and hands it over before the next layer begins.
 */

import { rowBytes } from "../core/dtype.ts";
import type { MultiplyMatrices } from "../core/matrix-product.ts";
import type { Bytes, Milliseconds } from "../core/units.ts";
import { quantCodec } from "../quant/codecs.ts";
import type { LayerPredictor, MatrixToWrite } from "../sparsity/sidecar/sidecar.ts";
import type { FfnShape } from "./ffn-samples.ts";
import type { SelectionQuality, SelectionTarget } from "./predictor/predictor-quality.ts";
import { scorePredictor } from "./predictor/predictor-scores.ts";
import {
  defaultTraining,
  judgeScores,
  type TrainedPredictor,
  type TrainingRows,
  trainPredictor,
} from "./predictor/train-predictor.ts";
import { firstRank, rankLadder, searchRank } from "./predictor/train-rank.ts";
import { frequencies } from "./predictor/train-rows.ts";

export interface TrainLayerOptions {
  readonly shape: FfnShape;
  readonly target: SelectionTarget;
  /** The most neurons selected, in units of those that are active. */
  readonly maxRatio: number;
  readonly seed: number;
  readonly epochs?: number;
  readonly multiply: MultiplyMatrices;
  readonly onAttempt?: (rank: number, epoch: number, quality: SelectionQuality) => void;
  readonly signal?: AbortSignal;
}

export interface TrainedLayer {
  readonly layer: number;
  readonly rank: number;
  /** Sizes that were tried, in order. */
  readonly tried: readonly number[];
  /** Of what is stored, on held-out rows that had no part in the cut. */
  readonly quality: SelectionQuality;
  readonly bytes: Bytes;
  readonly milliseconds: Milliseconds;
  readonly predictor: LayerPredictor<MatrixToWrite>;
}

export async function trainLayer(
  layer: number,
  rows: TrainingRows,
  options: TrainLayerOptions,
): Promise<TrainedLayer> {
  const startedAt = performance.now();
  const { shape, target, maxRatio, seed, multiply, onAttempt, signal } = options;
  const { dim, neurons } = rows.train;
  const matrices = shape.gating === "ungated" ? 2 : 3;
  const limits = { dim, neurons, matrices };
  const tried: number[] = [];
  const epochs = options.epochs ?? defaultTraining.epochs;
  const settings = { ...defaultTraining, target, epochs, seed: seed + 1000 * layer };
  const found = await searchRank(
    {
      ladder: rankLadder(limits),
      first: firstRank(limits, frequencies(rows.train)),
      criterion: { target, maxRatio },
    },
    (rank) => {
      tried.push(rank);
      return trainPredictor(rank, rows, settings, {
        multiply,
        ...(signal && { signal }),
        onEpoch: (epoch, quality) => onAttempt?.(rank, epoch, quality),
      });
    },
  );
  const stored = await store(found, rows, { target, multiply });
  return { layer, tried, ...stored, milliseconds: performance.now() - startedAt };
}

/** Rounded to the type they are stored in; the cut is chosen again for what that left. */
async function store(
  { rank, fc1, fc2 }: TrainedPredictor,
  { heldOut }: TrainingRows,
  options: { readonly target: SelectionTarget; readonly multiply: MultiplyMatrices },
): Promise<Pick<TrainedLayer, "rank" | "quality" | "bytes" | "predictor">> {
  const { dim, neurons } = heldOut;
  const first = encode(fc1, { rows: rank, columns: dim });
  const second = encode(fc2, { rows: neurons, columns: rank });
  const matrices = { rank, fc1: first.rounded, fc2: second.rounded };
  const scores = await scorePredictor(matrices, heldOut, options.multiply);
  const { cut, quality } = judgeScores(scores, heldOut, options.target);
  const { recall, precision } = quality;
  return {
    rank,
    quality,
    bytes: first.bytes + second.bytes,
    predictor: { fc1: first.matrix, fc2: second.matrix, threshold: finite(cut), recall, precision },
  };
}

/** A layer whose neurons never fired has no cut: one that no logit reaches. */
function finite(cut: number): number {
  return Math.min(cut, 1e30);
}

/** Q8_0 where rows are whole blocks: half the bytes of F16, and the cut is chosen for what the rounding left. */
function encode(
  values: Float32Array,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): { readonly matrix: MatrixToWrite; readonly rounded: Float32Array; readonly bytes: Bytes } {
  const type = columns % quantCodec("Q8_0").blockElements === 0 ? "Q8_0" : "F16";
  const codec = quantCodec(type);
  const blocks = values.length / codec.blockElements;
  const bytes = new Uint8Array(rows * rowBytes(type, columns));
  codec.quantise(values, 0, bytes, 0, blocks);
  const rounded = new Float32Array(values.length);
  codec.dequantise(bytes, 0, rounded, 0, blocks);
  return { matrix: { type, rows, columns, data: () => [bytes] }, rounded, bytes: bytes.length };
}
