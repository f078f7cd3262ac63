/**
 * The sidecar: a GGUF beside the model with what hearth has learnt about it. This file says what may be in it;
 * read.ts opens one, write.ts changes one. Layout: docs/formats/sidecar.md.
 */

import type { WeightType } from "../../core/dtype.ts";
import type { Bytes } from "../../core/units.ts";
import type { Weight } from "../../ops/op.ts";
import type { ActivationProfile } from "../activation-profile.ts";
import type { ExpertCounts } from "../expert-profile.ts";
import type { LearntCounts } from "../learnt-counts.ts";
import type { MethodName } from "../method-names.ts";

/** What ties a sidecar to its model: the fingerprint, and the shape that every tensor must fit. */
export interface SidecarModel {
  readonly fingerprint: string;
  readonly dim: number;
  /** Neurons of each layer. */
  readonly neurons: readonly number[];
  /** Of each layer, 0 where a router chooses none. Absent: no layer has experts. */
  readonly experts?: readonly number[];
  readonly attention: readonly AttentionWidths[];
}

/** Of one layer: what its matrices give for a token, 0 for one that it lacks, and how wide the input of its output projection is. */
interface AttentionWidths {
  readonly queries: number;
  readonly keys: number;
  readonly values: number;
  /** Queries, keys and values of a delta net in one matrix, and the gate of its output. */
  readonly qkv?: number;
  readonly outputGate?: number;
  readonly output: number;
}

/** A sidecar that was opened and checked. Lists have one entry for each layer; matrices stay in the file. */
export interface Sidecar {
  readonly path: string;
  readonly profile?: ActivationProfile;
  /** Counted while answers were written and not yet folded into the profile. */
  readonly learnt?: LearntCounts;
  /** Of a mixture. */
  readonly experts?: ExpertCounts;
  /** W_down^T [neurons, dim], where it was written. */
  readonly downRows: readonly (Weight | undefined)[];
  /** ‖down row‖ of each neuron, f32 [neurons]; all layers or absent. */
  readonly downNorms?: readonly Float32Array[];
  /** All layers or absent. */
  readonly columnNorms?: readonly ColumnNorms[];
  /** Copies of the matrices, of each layer those that were written. */
  readonly channels: readonly LayerChannels<Weight>[];
  /** Trained predictors; a layer without one has not been trained yet. */
  readonly predictors: readonly (LayerPredictor<Weight> | undefined)[];
  readonly sign?: SignCalibration;
  /** Sign bits of the gate rows (up, if ungated), I8 [neurons, ceil(dim / 64)·8]; SparsityMethod "sign" has the layout. */
  readonly signs: readonly (SignsInFile | undefined)[];
  /** Margins of each neuron, in place of its layer's; whole numbers, f32 [neurons]; all layers or absent. */
  readonly signMargins?: readonly Float32Array[];
  /** What is subtracted from the block's input before its signs are taken, f32 [dim]; all layers or absent. */
  readonly signCentres?: readonly Float32Array[];
  readonly thresholds?: ThresholdSet;
  readonly recommendation?: Recommendation;
}

/**
 * Two matrices as in SparsityMethod "mlp": neuron r is active iff (fc2·relu(fc1·x))[r] ≥ threshold, x being what gate and
 * up multiply (PowerInfer's own files: the residual before its norm).
 */
export interface LayerPredictor<Matrix> {
  readonly fc1: Matrix; // [rank, dim]
  readonly fc2: Matrix; // [neurons, rank]
  readonly threshold: number;
  /** Shares measured on held-out tokens, 0…1. */
  readonly recall: number;
  readonly precision: number;
}

export interface SignCalibration {
  /** Of each layer: the score from which a neuron is computed. */
  readonly margins: readonly number[];
  /** Of each layer, on held-out tokens: share of active neurons found. */
  readonly recall: readonly number[];
}

interface SignsInFile {
  readonly path: string;
  readonly offset: number;
  readonly bytes: Bytes;
}

/** One calibrated operating point. */
export type ThresholdTable = NeuronThresholds | InputThresholds;

/** Neurons are skipped. "gate": by |act(g)| (CATS). "output": by |h|·‖down row‖. */
export interface NeuronThresholds {
  readonly score: "gate" | "output";
  /** Share of neurons skipped that the values were calibrated for, 0…1. */
  readonly sparsity: number;
  /** Of each layer: the score from which a neuron is kept. */
  readonly values: readonly number[];
}

/** The inputs of every matrix of a layer are skipped by |x_j|·‖column j‖ (WINA); those of down are the neurons' outputs. */
export interface InputThresholds {
  readonly score: "input";
  /** Shares skipped that the values were calibrated for; 0: nothing is skipped there. */
  readonly shares: PerPlace;
  /** Of each layer: the scores from which an input is kept. */
  readonly values: readonly PerPlace[];
}

/** A number for each place of a layer where inputs are skipped. */
export interface PerPlace {
  /** The input that q, k and v share. */
  readonly attention: number;
  /** The input of attention's output projection. */
  readonly attentionOutput: number;
  /** The input that gate and up share. */
  readonly ffn: number;
  /** The input of down: the output score. */
  readonly output: number;
}

/** In the order of the file. */
export const places: readonly (keyof PerPlace)[] = [
  "attention",
  "attentionOutput",
  "ffn",
  "output",
];

export const columnPlaces: readonly (keyof ColumnNorms)[] = ["attention", "attentionOutput", "ffn"];

/** ‖column j‖ over all matrices that read the input together, f32. */
export interface ColumnNorms {
  readonly attention: Float32Array; // [dim]
  readonly attentionOutput: Float32Array; // [queries]
  readonly ffn: Float32Array; // [dim]
}

/** W^T [in, out] of a layer's matrices: a row for each input channel. */
export type LayerChannels<Matrix> = Readonly<Partial<Record<ChannelMatrix, Matrix>>>;

export type ChannelMatrix =
  | "q"
  | "k"
  | "v"
  | "qkv"
  | "outputGate"
  | "attentionOutput"
  | "gate"
  | "up";

export const channelMatrices: readonly ChannelMatrix[] = [
  "q",
  "k",
  "v",
  "qkv",
  "outputGate",
  "attentionOutput",
  "gate",
  "up",
];

export interface ThresholdSet {
  readonly tables: readonly ThresholdTable[];
  /** The table that `--sparsity threshold` takes. */
  readonly chosen: number;
}

/** What was measured of one method on held-out tokens; NaN where it was not measured. */
export interface MethodMeasurement {
  readonly method: MethodName;
  /** Which threshold table, else "". */
  readonly variant: string;
  readonly activeShare: number;
  /** Weight bytes that one decoded token reads of the matrices compared, predictor included. */
  readonly bytesPerToken: Bytes;
  readonly perplexity: number;
  /** Share of greedy tokens that are those of the dense model. */
  readonly agreement: number;
  readonly tokensPerSecond: number;
}

/** What `--sparsity auto` takes, and why. */
export interface Recommendation {
  readonly method: MethodName;
  /** One sentence for the user, with the numbers that decided. */
  readonly reason: string;
  /** All methods that were tried, the dense one among them. */
  readonly measured: readonly MethodMeasurement[];
}

/** A matrix to be written: its bytes come in pieces, once. */
export interface MatrixToWrite {
  readonly type: WeightType;
  readonly rows: number;
  readonly columns: number;
  readonly data: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** What to put into a sidecar. What is absent stays as it is; maps are by layer and leave other layers alone. */
export interface SidecarChanges {
  readonly profile?: ActivationProfile;
  readonly learnt?: LearntCounts;
  readonly experts?: ExpertCounts;
  readonly downRows?: ReadonlyMap<number, MatrixToWrite>;
  readonly downNorms?: readonly Float32Array[];
  readonly columnNorms?: readonly ColumnNorms[];
  /** "none": those that are there are left out. */
  readonly channels?: ReadonlyMap<number, LayerChannels<MatrixToWrite>> | "none";
  readonly predictors?: ReadonlyMap<number, LayerPredictor<MatrixToWrite>>;
  readonly sign?: SignCalibration;
  /** [neurons, ceil(dim / 64)·8] of each layer. */
  readonly signs?: ReadonlyMap<number, Uint8Array>;
  readonly signMargins?: readonly Float32Array[];
  readonly signCentres?: readonly Float32Array[];
  readonly thresholds?: ThresholdSet;
  readonly recommendation?: Recommendation;
}

/** Where a model's sidecar is unless the user says otherwise: model.gguf → model.sparsity.gguf. */
export function sidecarPathOf(modelPath: string): string {
  return `${modelPath.replace(/\.gguf$/i, "")}.sparsity.gguf`;
}
