/**
 * What training and calibration learn from: rows of each layer in bounded memory, kept while the dense model reads a
 * corpus once. Train and held-out rows come from different windows.
 */

import { counted } from "../core/counted.ts";
import { LimitError } from "../core/errors.ts";
import { type Bytes, formatBytes, type Tokens } from "../core/units.ts";
import { activationFunction } from "../ops/activation.ts";
import { isReluFamily } from "../sparsity/activation-profile.ts";
import type { ColumnNorms } from "../sparsity/sidecar/sidecar.ts";
import type { Corpus } from "./corpus.ts";
import type { FfnShape, LayerSamples } from "./ffn-samples.ts";
import type { Gatherer } from "./gather.ts";
import type { TrainingRows } from "./predictor/train-predictor.ts";
import { type LayerRows, RowReservoir, reservoirRowBytes } from "./predictor/train-rows.ts";
import { ThresholdCalibration } from "./thresholds/threshold-calibration.ts";

export interface GatherTrainingRequest {
  readonly corpora: readonly Corpus[];
  /** Tokens of each corpus. */
  readonly tokens: Tokens;
  /** Share of windows kept for cuts and measurements. */
  readonly heldOut: number;
  readonly seed: number;
  /** For the rows of all layers together. */
  readonly memory: Bytes;
  /** Layers whose rows are kept; the others only count for thresholds. */
  readonly layers: readonly number[];
  readonly downNorms: readonly Float32Array[];
  /** Needed for thresholds alone: activations that are never zero. */
  readonly columnNorms: readonly ColumnNorms[];
  readonly onTokens?: (done: Tokens, total: Tokens) => void;
  readonly signal?: AbortSignal;
}

export interface GatheredTraining {
  /** By layer; undefined where none were asked for, and for activations that are never zero. */
  readonly rows: readonly (TrainingRows | undefined)[];
  readonly thresholds: ThresholdCalibration;
}

/** Bounds the time of an epoch; the bundled model's layers reach their target with 51 000 (decision 0005). */
const maxTrainRows = 65_536;
const maxHeldOutRows = 8192;
/** Fewer rows than this train nothing that can be trusted. */
export const minTrainRows = 64;
/** Held-out rows keep magnitudes, four bytes a neuron: they get this share of the memory at most. */
const heldOutMemoryShare = 0.5;

export async function gatherTraining(
  gatherer: Gatherer,
  request: GatherTrainingRequest,
): Promise<GatheredTraining> {
  const { shape } = gatherer;
  const { corpora, tokens, heldOut, seed, downNorms, columnNorms, onTokens, signal } = request;
  const activate = activationFunction(shape.activation);
  const thresholds = new ThresholdCalibration({ shape, activate, downNorms, columnNorms });
  const reservoirs = createReservoirs(shape, request);
  for (const [index, corpus] of corpora.entries()) {
    const gathering = { corpus, tokens, heldOut, seed, ...(signal && { signal }) };
    for await (const batch of gatherer.batches(gathering)) {
      for (const samples of batch.layers) {
        const reservoir = reservoirs[samples.layer]?.[batch.part];
        reservoir?.offer(batch.rows, samples.normed, samples.h);
        if (batch.part === "train") offerThresholds(thresholds, samples, shape);
      }
      onTokens?.(index * tokens + batch.position, corpora.length * tokens);
    }
  }
  return { rows: reservoirs.map((pair) => pair && rowsOf(pair)), thresholds };
}

/** Activations with exact zeros have better methods than thresholds, which need not be calibrated then. */
function offerThresholds(
  thresholds: ThresholdCalibration,
  samples: LayerSamples,
  shape: FfnShape,
): void {
  if (!isReluFamily(shape.activation)) thresholds.offer(samples);
}

interface ReservoirPair {
  readonly train: RowReservoir;
  readonly "held-out": RowReservoir;
}

function createReservoirs(
  shape: FfnShape,
  request: GatherTrainingRequest,
): readonly (ReservoirPair | undefined)[] {
  const { layers, memory, seed } = request;
  if (!isReluFamily(shape.activation)) return shape.neurons.map(() => undefined);
  const share = memory / Math.max(1, layers.length);
  return shape.neurons.map((neurons, layer) => {
    if (!layers.includes(layer)) return undefined;
    const { dim } = shape;
    const withMagnitudes = { dim, neurons, keepsMagnitude: "with magnitudes" } as const;
    const without = { dim, neurons, keepsMagnitude: "without magnitudes" } as const;
    const heldOutRows = Math.min(
      maxHeldOutRows,
      Math.floor((heldOutMemoryShare * share) / reservoirRowBytes(withMagnitudes)),
    );
    const rest = share - heldOutRows * reservoirRowBytes(withMagnitudes);
    const trainRows = Math.min(maxTrainRows, Math.floor(rest / reservoirRowBytes(without)));
    if (trainRows < minTrainRows) {
      throw new LimitError(
        `${formatBytes(memory)} do not hold ${counted(minTrainRows, "row")} of ${counted(layers.length, "layer")}; allow more memory`,
      );
    }
    return {
      train: new RowReservoir({ ...without, capacity: trainRows, seed: seed + 2 * layer }),
      "held-out": new RowReservoir({
        ...withMagnitudes,
        capacity: heldOutRows,
        seed: seed + 2 * layer + 1,
      }),
    };
  });
}

/** @throws LimitError when the corpus gave too little to learn from. */
function rowsOf(pair: ReservoirPair): TrainingRows {
  const train: LayerRows = pair.train.rows();
  const heldOut = pair["held-out"].rows();
  if (train.count >= minTrainRows && heldOut.count >= 2) return { train, heldOut };
  throw new LimitError(
    `the corpus gave ${counted(train.count, "token")} to train with and ${heldOut.count} to check; it needs ${minTrainRows} and 2 at least: read more tokens, of more or longer texts`,
  );
}
