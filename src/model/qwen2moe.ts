/** Qwen 1.5 and 2 with experts, weighed as the softmax gives it, and shared ones behind a gate. */
import type { Architecture } from "./architecture.ts";
import { qwen2 } from "./qwen2.ts";

export const qwen2moe: Architecture = {
  ...qwen2,
  name: "qwen2moe",
  mixture: {
    scores: "softmax",
    normalise: false,
    neurons: "expert_feed_forward_length",
    shared: "gated",
  },
  output: "own",
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.mixture(),
  }),
};
