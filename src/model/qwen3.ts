/** Qwen 3: Llama with an RMSNorm over each head of q and k, RoPE over halves, heads wider than dim / heads. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const qwen3: Architecture = {
  ...llama,
  name: "qwen3",
  positions: { kind: "rope", pairing: "halves" },
  dataLayouts: [],
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.headNormedAttention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.ffn(),
  }),
};
