/** Qwen 3 with experts (30B-A3B, 235B-A22B). */
import type { Architecture } from "./architecture.ts";
import { qwen3 } from "./qwen3.ts";

export const qwen3moe: Architecture = {
  ...qwen3,
  name: "qwen3moe",
  mixture: {
    scores: "softmax",
    // Whatever the published configuration says (norm_topk_prob), as llama.cpp.
    normalise: true,
    neurons: "expert_feed_forward_length",
  },
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.headNormedAttention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.mixture(),
  }),
};
