/** Ling: experts of which a softmax scores each, and shared ones. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const bailingmoe: Architecture = {
  ...llama,
  name: "bailingmoe",
  mixture: {
    scores: "softmax",
    normalise: false,
    neurons: "expert_feed_forward_length",
    keys: ["expert_weights_norm", "expert_weights_scale"],
    shared: "plain",
  },
  output: "own",
  dataLayouts: [],
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.mixture(),
  }),
};
