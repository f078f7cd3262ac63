/**
 * Falcon: attention and FFN beside each other. 7B: one norm for both; 40B: attn_norm_2 is attention's, attn_norm the
 * FFN's. The FFN stands first, so that a predictor still finds the layer's input in x.
 * gelu in its tanh form, as llama.cpp computes it.
 */
import type { Architecture } from "./architecture.ts";

export const falcon: Architecture = {
  name: "falcon",
  norm: "layer",
  positions: { kind: "rope", pairing: "halves" },
  gating: "ungated",
  activation: { kind: "gelu-tanh" },
  parallelResidual: true,
  output: "own or tied",
  dataLayouts: ["jploski"],
  layerWeights: (find) => ({
    ...(find.has("attn_norm_2.weight")
      ? { attentionNorm: find.norm("attn_norm_2", "optional"), ffnNorm: find.norm("attn_norm") }
      : { attentionNorm: find.norm("attn_norm") }),
    attention: find.attention(),
    ffn: find.ffn(),
  }),
  layer: (graph, x, { attentionNorm, ffnNorm, attention, ffn }) => {
    const normed = graph.norm(x, attentionNorm);
    const ffnNormed = ffnNorm === undefined ? normed : graph.norm(x, ffnNorm, "ffn normed");
    return graph.add(x, graph.ffn(ffnNormed, ffn, x), graph.attention(normed, attention));
  },
};
