/** Keys and tensor names of a sidecar: docs/formats/sidecar.md. A reader refuses every version but its own. */
import type { ChannelMatrix, ColumnNorms } from "./sidecar.ts";

export const sidecarVersion = 1;
/** `general.architecture` of a sidecar: a sidecar that is opened as a model is refused by it. */
export const sidecarArchitecture = "hearth-sidecar";

export const keys = {
  version: "hearth.sidecar.version",
  model: "hearth.sidecar.model",
  profileRule: "hearth.sidecar.profile.rule",
  profileTopShare: "hearth.sidecar.profile.top_share",
  profileTokens: "hearth.sidecar.profile.tokens",
  corpusNames: "hearth.sidecar.profile.corpus.names",
  corpusHashes: "hearth.sidecar.profile.corpus.hashes",
  corpusTokens: "hearth.sidecar.profile.corpus.tokens",
  corpusComplete: "hearth.sidecar.profile.corpus.complete",
  learntTokens: "hearth.sidecar.learnt.tokens",
  expertTokens: "hearth.sidecar.experts.tokens",
  expertCorpusNames: "hearth.sidecar.experts.corpus.names",
  expertCorpusHashes: "hearth.sidecar.experts.corpus.hashes",
  predictorThresholds: "hearth.sidecar.predictor.thresholds",
  predictorRecall: "hearth.sidecar.predictor.recall",
  predictorPrecision: "hearth.sidecar.predictor.precision",
  signMargins: "hearth.sidecar.sign.margins",
  signRecall: "hearth.sidecar.sign.recall",
  thresholdScores: "hearth.sidecar.threshold.scores",
  thresholdSparsity: "hearth.sidecar.threshold.sparsity",
  thresholdValues: "hearth.sidecar.threshold.values",
  thresholdChosen: "hearth.sidecar.threshold.chosen",
  inputShares: "hearth.sidecar.input.shares",
  inputValues: "hearth.sidecar.input.values",
  recommendedMethod: "hearth.sidecar.recommended.method",
  recommendedReason: "hearth.sidecar.recommended.reason",
  measuredMethods: "hearth.sidecar.measured.methods",
  measuredVariants: "hearth.sidecar.measured.variants",
  measuredActiveShare: "hearth.sidecar.measured.active_share",
  measuredBytesPerToken: "hearth.sidecar.measured.bytes_per_token",
  measuredPerplexity: "hearth.sidecar.measured.perplexity",
  measuredAgreement: "hearth.sidecar.measured.agreement",
  measuredTokensPerSecond: "hearth.sidecar.measured.tokens_per_second",
} as const;

export type LayerTensor =
  | "counts"
  | "learntCounts"
  | "expertCounts"
  | "expertWeights"
  | "downRows"
  | "downNorms"
  | "fc1"
  | "fc2"
  | "signs"
  | "signMargins"
  | "signCentre";

/** Copies with a row for each input channel, as the model's file names their matrices. */
const channelNames: Readonly<Record<ChannelMatrix, string>> = {
  q: "attn_q_t.weight",
  k: "attn_k_t.weight",
  v: "attn_v_t.weight",
  qkv: "attn_qkv_t.weight",
  outputGate: "attn_gate_t.weight",
  attentionOutput: "attn_output_t.weight",
  gate: "ffn_gate_t.weight",
  up: "ffn_up_t.weight",
};

const columnNormNames: Readonly<Record<keyof ColumnNorms, string>> = {
  attention: "attn_column_norms",
  attentionOutput: "attn_output_column_norms",
  ffn: "ffn_column_norms",
};

const tensorNames: Readonly<Record<LayerTensor, string>> = {
  counts: "ffn_active_counts",
  learntCounts: "ffn_learnt_counts",
  expertCounts: "ffn_expert_counts",
  expertWeights: "ffn_expert_weights",
  downRows: "ffn_down_t.weight",
  downNorms: "ffn_down_norms",
  fc1: "fc1.weight",
  fc2: "fc2.weight",
  signs: "ffn_signs",
  signMargins: "ffn_sign_margins",
  signCentre: "ffn_sign_centre",
};

export function tensorName(layer: number, tensor: LayerTensor): string {
  return `blk.${layer}.${tensorNames[tensor]}`;
}

export function channelsName(layer: number, matrix: ChannelMatrix): string {
  return `blk.${layer}.${channelNames[matrix]}`;
}

export function columnNormsName(layer: number, place: keyof ColumnNorms): string {
  return `blk.${layer}.${columnNormNames[place]}`;
}

/** Bytes of a neuron's sign bits: one bit for each of `dim` weights, padded to 64. */
export function signRowBytes(dim: number): number {
  return Math.ceil(dim / 64) * 8;
}
