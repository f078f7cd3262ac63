/**
 * SmallThinker: the router reads a layer's input before any norm, experts have a ReLU at the gate. With a window, which
 * native llama.cpp takes for 4096 tokens whatever the key says, every fourth layer has neither RoPE nor window.
 */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import { expertFeatures, expertKeys, expertNeurons, experts, router } from "../recipe-experts.ts";
import {
  attentionOutput,
  embedding,
  given,
  headKeys,
  lastNorm,
  output,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32 } = metadataValue;

export const smallthinker: Recipe = {
  name: "smallthinker",
  features: {
    tied: undefined,
    "head-dim": undefined,
    "rope-base": 1.5e6,
    window: undefined,
    ...expertFeatures,
    gating: 2,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    ...expertKeys(model),
    expert_feed_forward_length: u32(expertNeurons(model)),
    expert_gating_func: u32(model.feature("gating") ?? 2),
    "attention.sliding_window": given(u32, model.feature("window")),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    attentionOutput(model, 0.7 * residual(model)),
    norm("ffn_norm", model.dim),
    // What it reads has the residual's deviation, not 1.
    router(model, layer, 2 / (residual(model) * Math.sqrt(1 + layer))),
    ...experts(model, residual(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
