/** OPT: pre-LayerNorm, biases everywhere, ReLU; position p is row p + 2 of the table, as the published files have it. */
import type { Architecture } from "./architecture.ts";
import { sequentialLayer } from "./sequential-layer.ts";

export const opt: Architecture = {
  name: "opt",
  norm: "layer",
  positions: { kind: "learned", offset: 2 },
  gating: "ungated",
  activation: { kind: "relu" },
  parallelResidual: false,
  output: "own or tied",
  dataLayouts: [],
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention("required"),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.ffn("required"),
  }),
  layer: sequentialLayer,
};
