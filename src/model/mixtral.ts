/** Llama with experts in place of its blocks (Mixtral), under the same name; without them, it is Llama. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const mixtral: Architecture = {
  ...llama,
  mixture: {
    scores: "softmax",
    normalise: true,
    neurons: "feed_forward_length",
    isOptional: true,
  },
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.isMixture ? find.mixture() : find.ffn(),
  }),
};
