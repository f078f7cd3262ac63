/** Qwen 2 and 2.5: Llama with biases of q, k and v (some merges lack them), and RoPE over halves. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const qwen2: Architecture = {
  ...llama,
  name: "qwen2",
  positions: { kind: "rope", pairing: "halves" },
  dataLayouts: [],
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.ffn(),
  }),
};
