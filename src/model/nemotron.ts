/**
 * Nemotron-Mini and Minitron: LayerNorm with bias (the converter has added the 1 of LayerNorm1P), RoPE over part of
 * a head, ungated ReLU², an output matrix of its own.
 */
import type { Architecture } from "./architecture.ts";
import { sequentialLayer } from "./sequential-layer.ts";

export const nemotron: Architecture = {
  name: "nemotron",
  norm: "layer",
  positions: { kind: "rope", pairing: "halves" },
  gating: "ungated",
  activation: { kind: "relu2" },
  parallelResidual: false,
  output: "own",
  dataLayouts: [],
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.ffn(),
  }),
  layer: sequentialLayer,
};
