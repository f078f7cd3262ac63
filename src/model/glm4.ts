/** GLM 4 (0414): norms before and behind attention and FFN, gate and up in one matrix, RoPE over a part of each head. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const glm4: Architecture = {
  ...llama,
  name: "glm4",
  dataLayouts: [],
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    attentionPostNorm: find.norm("post_attention_norm"),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.fusedFfn(),
    ffnPostNorm: find.norm("post_ffw_norm"),
  }),
};
