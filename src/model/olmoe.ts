/** OLMoE: experts weighed by their share of the softmax over all; q and k are normed over all their heads together. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const olmoe: Architecture = {
  ...llama,
  name: "olmoe",
  positions: { kind: "rope", pairing: "halves" },
  output: "own",
  dataLayouts: [],
  mixture: { scores: "softmax", normalise: false, neurons: "feed_forward_length" },
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: {
      ...find.attention(),
      qNorm: find.projectionNorm("attn_q_norm", "q"),
      kNorm: find.projectionNorm("attn_k_norm", "k"),
    },
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.mixture(),
  }),
};
