/**
 * Phi-3.5-MoE: Phi 3 with two experts of sixteen in place of its block, and a bias at every norm, though llama.cpp and its
 * files make these RMSNorms (the model was trained with LayerNorms).
 */
import type { Architecture } from "./architecture.ts";
import { phi3 } from "./phi3.ts";

export const phimoe: Architecture = {
  ...phi3,
  name: "phimoe",
  hasNormBiases: true,
  mixture: { scores: "softmax", normalise: true, neurons: "feed_forward_length" },
  output: "own",
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.mixture(),
  }),
};
