/** Qwen3 with experts: heads normed one by one, the weights of a token's experts sum up to 1. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import { expertFeatures, expertKeys, expertNeurons, experts, router } from "../recipe-experts.ts";
import {
  attentionOutput,
  embedding,
  headKeys,
  headNorms,
  lastNorm,
  output,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

export const qwen3moe: Recipe = {
  name: "qwen3moe",
  features: { tied: undefined, "head-dim": undefined, "rope-base": 1e6, ...expertFeatures },
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    ...expertKeys(model),
    expert_feed_forward_length: metadataValue.u32(expertNeurons(model)),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...projections(model, 1),
    ...headNorms(model),
    attentionOutput(model, 0.7 * residual(model)),
    norm("ffn_norm", model.dim),
    router(model, layer),
    ...experts(model, residual(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
