/** Keys and tensor names of a sidecar: docs/formats/sidecar.md. A reader refuses every version but its own. */

export const sidecarVersion = 1;
/** `general.architecture` of a sidecar: whoever takes it for a model hears that it is none. */
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
  predictorThresholds: "hearth.sidecar.predictor.thresholds",
  predictorRecall: "hearth.sidecar.predictor.recall",
  predictorPrecision: "hearth.sidecar.predictor.precision",
  signMargins: "hearth.sidecar.sign.margins",
  signRecall: "hearth.sidecar.sign.recall",
  thresholdScores: "hearth.sidecar.threshold.scores",
  thresholdSparsity: "hearth.sidecar.threshold.sparsity",
  thresholdValues: "hearth.sidecar.threshold.values",
  thresholdChosen: "hearth.sidecar.threshold.chosen",
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
  | "downRows"
  | "downNorms"
  | "fc1"
  | "fc2"
  | "signs"
  | "signMargins"
  | "signCentre";

const tensorNames: Readonly<Record<LayerTensor, string>> = {
  counts: "ffn_active_counts",
  learntCounts: "ffn_learnt_counts",
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

/** Bytes of a neuron's sign bits: one bit for each of `dim` weights, padded to 64. */
export function signRowBytes(dim: number): number {
  return Math.ceil(dim / 64) * 8;
}
