/** Qwen3.5 and Qwen3.6 with experts, and a shared one that a sigmoid weighs (35B-A3B). */
import type { Architecture } from "./architecture.ts";
import { qwen35 } from "./qwen35.ts";

export const qwen35moe: Architecture = {
  ...qwen35,
  name: "qwen35moe",
  mixture: {
    scores: "softmax",
    normalise: true,
    neurons: "expert_feed_forward_length",
    shared: "gated",
  },
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.isRecurrent ? find.deltaNet() : find.gatedAttention(),
    ffnNorm: find.norm("post_attention_norm"),
    ffn: find.mixture(),
  }),
};
