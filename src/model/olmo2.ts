/**
 * OLMo 2: norms behind attention and FFN, none before; q and k are normed over all their heads together. OLMo 3: three
 * layers of four see a window, and rotate without YaRN.
 */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";
import { ropeByWindow, withWindows } from "./windows.ts";

export const olmo2: Architecture = {
  ...llama,
  name: "olmo2",
  positions: { kind: "rope", pairing: "halves", of: ropeByWindow },
  output: "own",
  dataLayouts: [],
  numbers: (shape, keys) => withWindows(shape, keys, { period: 4, rope: { isUnscaled: true } }),
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
