/**
 * Trains the predictor of one layer at one hidden size: minibatches in a seeded order, a cosine learning rate, and an
 * end as soon as more epochs no longer select fewer neurons at the target recall.
 */
import type { MultiplyMatrices } from "../../core/matrix-product.ts";
import { createRandom } from "../../core/random.ts";
import {
  chooseCut,
  measureSelection,
  type SelectionQuality,
  type SelectionTarget,
} from "./predictor-quality.ts";
import { sigmoid } from "./sigmoid.ts";
import { cosineRate } from "./train-adam.ts";
import { PredictorNetwork } from "./train-network.ts";
import { type LayerRows, maskBytes, sliceRows } from "./train-rows.ts";

export interface TrainingSettings {
  readonly target: SelectionTarget;
  readonly seed: number;
  /** The most passes over the rows; the learning rate falls to zero over them. */
  readonly epochs: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Rows of a step. */
  readonly batch: number;
  /** What missing an active neuron costs, in units of selecting an inactive one. */
  readonly positiveWeight: number;
}

/**
 * Measured on the bundled model (docs/decisions/0005-predictor-training.md): a positive weight of 4 instead of 1 selects
 * 10 % fewer neurons in the sparsest layer and no fewer in the densest; 10 epochs over 32 thousand rows are enough.
 */
export const defaultTraining: Omit<TrainingSettings, "target" | "seed"> = {
  epochs: 10,
  learningRate: 3e-3,
  weightDecay: 0,
  batch: 256,
  positiveWeight: 4,
};

export interface TrainedPredictor {
  readonly rank: number;
  readonly fc1: Float32Array; // [rank, dim]
  readonly fc2: Float32Array; // [neurons, rank]
  /** The logit from which a neuron is selected. */
  readonly cut: number;
  /** On held-out rows that had no part in the cut. */
  readonly quality: SelectionQuality;
  readonly epochs: number;
}

export interface TrainingRows {
  readonly train: LayerRows;
  /** The first half chooses the cut, the second is measured. */
  readonly heldOut: LayerRows;
}

export interface TrainingContext {
  readonly multiply: MultiplyMatrices;
  readonly signal?: AbortSignal;
  /** Called after each epoch with its measurements. */
  readonly onEpoch?: (epoch: number, quality: SelectionQuality) => void;
}

/** An epoch counts as progress when it selects this much fewer neurons. */
const minProgress = 0.01;
const patience = 2;

export async function trainPredictor(
  rank: number,
  { train, heldOut }: TrainingRows,
  settings: TrainingSettings,
  context: TrainingContext,
): Promise<TrainedPredictor> {
  const { dim, neurons } = train;
  const { seed, batch, epochs } = settings;
  const { multiply } = context;
  const network = new PredictorNetwork({ dim, rank, neurons }, { multiply, batch, seed });
  const order = Uint32Array.from({ length: train.count }, (_, row) => row);
  const random = createRandom(seed + 2);
  let best: TrainedPredictor | undefined;
  let waited = 0;
  for (let epoch = 1; epoch <= epochs && waited < patience; epoch++) {
    shuffle(order, random.integer);
    await runEpoch(network, train, { order, epoch, settings, context });
    const { cut, quality } = await judge(network, heldOut, settings);
    context.onEpoch?.(epoch, quality);
    const isBetter = best === undefined || quality.ratio < best.quality.ratio;
    const isProgress = best === undefined || quality.ratio < (1 - minProgress) * best.quality.ratio;
    waited = isProgress ? 0 : waited + 1;
    if (!isBetter) continue;
    const { fc1, fc2 } = network;
    best = { rank, fc1: fc1.slice(), fc2: fc2.slice(), cut, quality, epochs: epoch };
  }
  if (best === undefined) throw new RangeError("training needs at least one epoch");
  return best;
}

interface Epoch {
  readonly order: Uint32Array;
  /** From 1. */
  readonly epoch: number;
  readonly settings: TrainingSettings;
  readonly context: TrainingContext;
}

async function runEpoch(network: PredictorNetwork, rows: LayerRows, run: Epoch): Promise<void> {
  const { dim, neurons } = rows;
  const { order, settings, context } = run;
  const { batch, epochs, learningRate, weightDecay, positiveWeight } = settings;
  const batches = Math.ceil(rows.count / batch);
  const x = new Float32Array(batch * dim);
  const bytes = maskBytes(neurons);
  const active = new Uint8Array(batch * bytes);
  for (let index = 0; index < batches; index++) {
    context.signal?.throwIfAborted();
    const chosen = order.subarray(index * batch, (index + 1) * batch);
    chosen.forEach((row, i) => {
      x.set(rows.x.subarray(row * dim, (row + 1) * dim), i * dim);
      active.set(rows.active.subarray(row * bytes, (row + 1) * bytes), i * bytes);
    });
    const done = ((run.epoch - 1) * batches + index) / (epochs * batches);
    await network.train(
      { x, count: chosen.length },
      (logits) => turnIntoErrors(logits, { active, neurons, positiveWeight }),
      {
        learningRate: cosineRate(learningRate, done),
        weightDecay,
        beta1: 0.9,
        beta2: 0.99,
      },
    );
  }
}

/** Derivative of the weighted binary cross-entropy: (σ(z) − y)·weight, averaged over the rows. */
function turnIntoErrors(
  logits: Float32Array,
  labels: {
    readonly active: Uint8Array;
    readonly neurons: number;
    readonly positiveWeight: number;
  },
): void {
  const { active, neurons, positiveWeight } = labels;
  const count = logits.length / neurons;
  const bytes = maskBytes(neurons);
  const share = 1 / count;
  for (let row = 0; row < count; row++) {
    for (let neuron = 0; neuron < neurons; neuron++) {
      const at = row * neurons + neuron;
      // 1 where active. Neurons fire at random: to branch on it would be mispredicted all the time.
      const label = ((active[row * bytes + (neuron >> 3)] ?? 0) >> (neuron & 7)) & 1;
      const weight = share * (1 + label * (positiveWeight - 1));
      logits[at] = weight * (sigmoid(logits[at] ?? 0) - label);
    }
  }
}

async function judge(
  network: PredictorNetwork,
  heldOut: LayerRows,
  { target, batch }: TrainingSettings,
): Promise<JudgedScores> {
  const { dim, neurons, count } = heldOut;
  const scores = new Float32Array(count * neurons);
  for (let row = 0; row < count; row += batch) {
    const rows = Math.min(batch, count - row);
    const x = heldOut.x.subarray(row * dim, (row + rows) * dim);
    scores.set(await network.logits(x, rows), row * neurons);
  }
  return judgeScores(scores, heldOut, target);
}

export interface JudgedScores {
  readonly cut: number;
  /** On the rows that chose the cut. */
  readonly onCutRows: SelectionQuality;
  readonly quality: SelectionQuality;
}

/** The cut by the first half of the rows, the quality by the second. */
export function judgeScores(
  scores: Float32Array,
  rows: LayerRows,
  target: SelectionTarget,
): JudgedScores {
  const half = Math.floor(rows.count / 2);
  const cutRows = sliceRows(rows, 0, half);
  const cut = chooseCut(scores, cutRows, target);
  const rest = sliceRows(rows, half, rows.count);
  return {
    cut,
    onCutRows: measureSelection(scores, cutRows, cut),
    quality: measureSelection(scores.subarray(half * rows.neurons), rest, cut),
  };
}

/** Fisher and Yates. */
export function shuffle(order: Uint32Array, integer: (limit: number) => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = integer(i + 1);
    const value = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = value;
  }
}
