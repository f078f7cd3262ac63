/** EXAONE 4: OLMo 2, with norms over each head of q and k. */
import type { Architecture } from "./architecture.ts";
import { olmo2 } from "./olmo2.ts";

export const exaone4: Architecture = {
  ...olmo2,
  name: "exaone4",
  output: "own or tied",
  layerWeights: (find) => ({
    attention: {
      ...find.attention(),
      qNorm: find.headNorm("attn_q_norm"),
      kNorm: find.headNorm("attn_k_norm"),
    },
    attentionPostNorm: find.norm("post_attention_norm"),
    ffn: find.ffn(),
    ffnPostNorm: find.norm("post_ffw_norm"),
  }),
};
