/** OLMo 2: norms behind attention and FFN, none before; q and k are normed over all their heads together. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const olmo2: Architecture = {
  ...llama,
  name: "olmo2",
  positions: { kind: "rope", pairing: "halves" },
  output: "own",
  dataLayouts: [],
  layerWeights: (find) => ({
    attention: {
      ...find.attention(),
      qNorm: find.projectionNorm("attn_q_norm", "q"),
      kNorm: find.projectionNorm("attn_k_norm", "k"),
    },
    attentionPostNorm: find.norm("post_attention_norm"),
    ffn: find.ffn(),
    ffnPostNorm: find.norm("post_ffw_norm"),
  }),
};
