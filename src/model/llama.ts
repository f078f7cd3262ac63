/** Llama 1 to 3, Mistral, TinyLlama and their ReLU variants. Pairs are adjacent: converters permute q and k. */
import type { Architecture } from "./architecture.ts";
import { sequentialLayer } from "./sequential-layer.ts";

export const llama: Architecture = {
  name: "llama",
  norm: "rms",
  positions: { kind: "rope", pairing: "adjacent" },
  gating: "gated",
  activation: { kind: "silu" },
  parallelResidual: false,
  output: "own or tied",
  dataLayouts: ["Meta AI original pth"],
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.ffn(),
  }),
  layer: sequentialLayer,
};
