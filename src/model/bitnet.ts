/**
 * BitNet b1.58 (2402.17764): Llama with a norm before attention's output and one before down. Its three-valued weights
 * come as any weight type, with a scale of one number beside each matrix where the type has none.
 */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

/** llama.cpp's name, of its conversion of 1bitLLM's models. */
export const bitnet: Architecture = {
  ...llama,
  name: "bitnet",
  positions: { kind: "rope", pairing: "halves" },
  // Microsoft's, converted under this name.
  otherActivation: { kind: "relu2" },
  dataLayouts: [],
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.subNormedAttention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.subNormedFfn(),
  }),
};

/** Microsoft's name: ReLU², so that most neurons rest, and those that do add nothing to the norm. */
export const bitnet158: Architecture = {
  ...bitnet,
  name: "bitnet-b1.58",
  activation: { kind: "relu2" },
};
