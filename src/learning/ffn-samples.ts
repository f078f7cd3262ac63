/**
 * What a dense model's layers did for some tokens: the material of profiles, predictors and thresholds.
 * learning/gather.ts makes them; nothing here knows how.
 */
import type { Activation, Gating } from "../ops/op.ts";

/** Rows of one layer, one for each token. The arrays may be overwritten by the next batch: copy what must stay. */
export interface LayerSamples {
  readonly layer: number;
  /** What a predictor reads: the residual before the block's norm. f32 [rows, dim] */
  readonly input: Float32Array;
  /** What gate and up multiply, and whose signs "sign" reads. f32 [rows, dim] */
  readonly normed: Float32Array;
  /** Gate before its activation; absent in ungated blocks. f32 [rows, neurons] */
  readonly gate?: Float32Array;
  /** After the activation. f32 [rows, neurons] */
  readonly h: Float32Array;
  /** What q, k and v multiply. f32 [rows, dim] */
  readonly attentionInput: Float32Array;
  /** What attention's output projection multiplies. f32 [rows, heads · valueWidth] */
  readonly attentionOutput: Float32Array;
}

/** "train" and "held-out" share no window of text. */
export type CorpusPart = "train" | "held-out";

export interface SampleBatch {
  readonly part: CorpusPart;
  readonly rows: number;
  /** The layers that were asked for, in order. */
  readonly layers: readonly LayerSamples[];
}

/** The blocks that samples come from. */
export interface FfnShape {
  readonly dim: number;
  /** Neurons of each layer. */
  readonly neurons: readonly number[];
  readonly gating: Gating;
  readonly activation: Activation;
}
