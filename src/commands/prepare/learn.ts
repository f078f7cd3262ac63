/** First part of `prepare`: everything that is learnt about a model goes to its sidecar, piece by piece, so that it can be resumed. */

import type { Backend } from "../../backends/backend.ts";
import { openWeight } from "../../backends/weight-reader.ts";
import type { MultiplyMatrices } from "../../core/matrix-product.ts";
import type { Bytes, Tokens } from "../../core/units.ts";
import { channelCopiesToWrite, columnNormsOf } from "../../derived-weights/channel-copies.ts";
import { downNormsOf } from "../../derived-weights/derived-weights.ts";
import { downRowsToWrite } from "../../derived-weights/down-rows.ts";
import { downRowType, thresholdRowType } from "../../derived-weights/transpose-down.ts";
import { sidecarModelOf } from "../../engine/model-sidecar.ts";
import type { Corpus } from "../../learning/corpus.ts";
import { Gatherer } from "../../learning/gather.ts";
import type {
  SelectionQuality,
  SelectionTarget,
} from "../../learning/predictor/predictor-quality.ts";
import { defaultTraining, type TrainingRows } from "../../learning/predictor/train-predictor.ts";
import { extendProfile } from "../../learning/profile.ts";
import { calibrateSigns, type SignLayer } from "../../learning/signs/sign-calibration.ts";
import {
  calibratedPoints,
  calibratedSparsities,
} from "../../learning/thresholds/threshold-calibration.ts";
import { gatherTraining } from "../../learning/train-gather.ts";
import { type TrainedLayer, trainLayer } from "../../learning/train-layers.ts";
import type { Model } from "../../model/model.ts";
import { requireBlock } from "../../model/weights.ts";
import { activeRuleFor, emptyProfile, isReluFamily } from "../../sparsity/activation-profile.ts";
import { mergeProfiles } from "../../sparsity/merge-profiles.ts";
import { findSidecar } from "../../sparsity/sidecar/read.ts";
import type { ThresholdTable } from "../../sparsity/sidecar/sidecar.ts";
import { updateSidecar } from "../../sparsity/sidecar/write.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { TrainingEffort } from "./effort.ts";

export interface LearnRequest {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly backend: Backend;
  readonly multiply: MultiplyMatrices;
  readonly sidecarPath: string;
  readonly corpora: readonly Corpus[];
  readonly tokens: Tokens;
  readonly window: Tokens;
  readonly heldOut: number;
  readonly seed: number;
  readonly target: SelectionTarget;
  readonly maxRatio: number;
  readonly epochs?: number;
  readonly memory: Bytes;
  /** "again": predictors that are there already are trained anew. */
  readonly finished: "keep" | "again";
  readonly onProgress?: (stage: string, done: number, total: number) => void;
  readonly onLayer?: (trained: TrainedLayer) => void;
  readonly signal?: AbortSignal;
}

export interface Learnt {
  /** Layers trained in this run. */
  readonly trained: readonly TrainedLayer[];
  /** Held-out quality of the sign predictor by layer; empty where it does not apply. */
  readonly signs: readonly SelectionQuality[];
  /** Calibrated operating points, for activations that are never zero. */
  readonly tables: readonly ThresholdTable[];
}

/** Counts activations, unless the sidecar has counted these tokens; transposes down projections that lie in columns. */
export async function learnFacts(request: LearnRequest): Promise<void> {
  const { model, corpora, tokens, sidecarPath, onProgress } = request;
  const sidecar = findSidecar(sidecarPath, sidecarModelOf(model));
  const downNorms = await downNormsOf(model, sidecar);
  const isRelu = isReluFamily(model.activation);
  const rowType = isRelu ? downRowType : thresholdRowType;
  using gatherer = await openGatherer(request);
  const rule = activeRuleFor(model.activation);
  const start = sidecar?.profile ?? emptyProfile(rule, model.hyperparameters.neurons);
  const total = tokens * corpora.length;
  const profile = await extendProfile(gatherer, start, {
    corpora,
    tokens,
    downNorms,
    onBatch: (_, done) => onProgress?.("profiling", done, total),
    ...(request.signal && { signal: request.signal }),
  });
  request.signal?.throwIfAborted();
  const columnNorms = isRelu ? undefined : await columnNormsOf(model, sidecar);
  await updateSidecar(sidecarPath, sidecarModelOf(model), (current) => ({
    profile: mergeProfiles(profile, start, current?.profile).profile,
    downNorms,
    ...(columnNorms && { columnNorms }),
    downRows: downRowsToWrite(model, current, rowType),
  }));
}

/** Copies of matrices that any of the tables reads by input go to the sidecar, where it lacks them. */
export async function keepCopies(
  { model, backend, sidecarPath }: LearnRequest,
  tables: readonly ThresholdTable[],
): Promise<void> {
  if (tables.every(({ score }) => score !== "input")) return;
  const shape = sidecarModelOf(model);
  await updateSidecar(sidecarPath, shape, (current) => ({
    channels: channelCopiesToWrite(model, current, backend.transpose),
  }));
}

export async function learnMethods(
  request: LearnRequest,
  wanted: "all" | "predictors",
): Promise<Learnt> {
  const { model, sidecarPath, finished, onProgress } = request;
  const sidecar = findSidecar(sidecarPath, sidecarModelOf(model));
  const relu = isReluFamily(model.activation);
  const toTrain = model.layers.flatMap((weights, layer) => {
    const hasOne = sidecar?.predictors[layer] !== undefined && finished === "keep";
    return !relu || hasOne || requireBlock(weights).predictor !== undefined ? [] : [layer];
  });
  const toCalibrate = wanted === "all" ? model.layers.map((_, layer) => layer) : [];
  const layers = [...new Set([...toTrain, ...toCalibrate])];
  if (layers.length === 0) return { trained: [], signs: [], tables: [] };
  using gatherer = await openGatherer(request);
  const gathered = await gatherTraining(gatherer, {
    corpora: request.corpora,
    tokens: request.tokens,
    heldOut: request.heldOut,
    seed: request.seed,
    memory: request.memory,
    layers,
    downNorms: await downNormsOf(model, sidecar),
    columnNorms: relu ? [] : await columnNormsOf(model, sidecar),
    onTokens: (done, total) => onProgress?.("gathering", done, total),
    ...(request.signal && { signal: request.signal }),
  });
  const signs = relu && wanted === "all" ? await learnSigns(request, gathered.rows) : [];
  const trained = await trainLayers(request, gathered.rows, toTrain);
  const tables = relu ? [] : gathered.thresholds.tables(calibratedSparsities, calibratedPoints);
  return { trained, signs: signs.map(({ quality }) => quality), tables };
}

function openGatherer({ model, tokenizer, backend, window }: LearnRequest): Promise<Gatherer> {
  return Gatherer.open(model, tokenizer, backend, { window });
}

/** Each layer is in the sidecar before the next begins. */
async function trainLayers(
  request: LearnRequest,
  rows: readonly (TrainingRows | undefined)[],
  layers: readonly number[],
): Promise<readonly TrainedLayer[]> {
  const { model, sidecarPath, target, maxRatio, seed, epochs, multiply, signal } = request;
  const { dim, neurons } = model.hyperparameters;
  const { gating } = model.architecture;
  const shape = { dim, neurons, gating, activation: model.activation };
  const trained: TrainedLayer[] = [];
  const passes = epochs ?? defaultTraining.epochs;
  const effort = new TrainingEffort({ layers: layers.length, dim, epochs: passes }, (done, total) =>
    request.onProgress?.("training", done, total),
  );
  for (const layer of layers) {
    const layerRows = rows[layer];
    if (layerRows === undefined) continue;
    const one = await trainLayer(layer, layerRows, {
      shape,
      target,
      maxRatio,
      seed,
      multiply,
      onAttempt: (rank) => effort.pass(rank, layerRows.train.neurons),
      ...(epochs !== undefined && { epochs }),
      ...(signal && { signal }),
    });
    trained.push(one);
    effort.finishLayer();
    const predictors = new Map([[layer, one.predictor]]);
    await updateSidecar(sidecarPath, sidecarModelOf(model), { predictors });
    request.onLayer?.(one);
  }
  return trained;
}

async function learnSigns(
  request: LearnRequest,
  rows: readonly (TrainingRows | undefined)[],
): Promise<readonly SignLayer[]> {
  const { model, multiply, sidecarPath, onProgress } = request;
  const { target } = request;
  const layers: SignLayer[] = [];
  for (const [layer, layerWeights] of model.layers.entries()) {
    const layerRows = rows[layer];
    if (layerRows === undefined) return [];
    request.signal?.throwIfAborted();
    onProgress?.("calibrating signs", layer, model.layers.length);
    const { gate, up } = requireBlock(layerWeights);
    const weight = gate ?? up.weight;
    const weights = new Float32Array(weight.rows * weight.columns);
    const reader = openWeight(weight);
    reader.read({ first: 0, count: weight.columns }, weights);
    reader.close();
    layers.push(
      await calibrateSigns(weights, layerRows, {
        target,
        multiply,
        seed: request.seed + layer,
        onShare: (done) => onProgress?.("calibrating signs", layer + done, model.layers.length),
        ...(request.signal && { signal: request.signal }),
      }),
    );
    onProgress?.("calibrating signs", layer + 1, model.layers.length);
  }
  await updateSidecar(sidecarPath, sidecarModelOf(model), {
    sign: {
      margins: layers.map(({ margins }) => margins.reduce((a, b) => Math.min(a, b), 0)),
      recall: layers.map(({ quality }) => quality.recall),
    },
    signs: new Map(layers.map(({ signs }, layer) => [layer, signs])),
    signMargins: layers.map(({ margins }) => Float32Array.from(margins)),
    signCentres: layers.map(({ centre }) => centre),
  });
  return layers;
}
