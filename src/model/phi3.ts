/**
 * Phi 3 and 4: Llama with q, k and v in one matrix, gate and up in another, and RoPE over halves, in long contexts
 * with factors of their own (longrope). Its sliding window is ignored, as by llama.cpp: converters write it for
 * models that were trained without.
 */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";
import { withoutWindow } from "./windows.ts";

export const phi3: Architecture = {
  ...llama,
  name: "phi3",
  positions: { kind: "rope", pairing: "halves", hasLongFactors: true },
  dataLayouts: [],
  numbers: withoutWindow,
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.fusedFfn(),
  }),
};
