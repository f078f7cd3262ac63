/** Ling: softmax scores, ungated shared experts. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import {
  expertFeatures,
  expertKeys,
  expertNeurons,
  experts,
  router,
  sharedExperts,
} from "../recipe-experts.ts";
import {
  attentionOutput,
  embedding,
  lastNorm,
  output,
  projections,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32, f32, boolean } = metadataValue;

export const bailingmoe: Recipe = {
  name: "bailingmoe",
  features: {
    "rope-base": 600000,
    ...expertFeatures,
    "shared-experts": 2,
    "expert-weights-norm": 1,
    "expert-weights-scale": 1.8,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    leading_dense_block_count: u32(0),
    ...expertKeys(model),
    expert_feed_forward_length: u32(expertNeurons(model)),
    expert_shared_count: u32(model.feature("shared-experts") ?? 0),
    expert_weights_scale: f32(model.feature("expert-weights-scale") ?? 1),
    expert_weights_norm: boolean(model.feature("expert-weights-norm") === 1),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    attentionOutput(model, 0.7),
    norm("ffn_norm", model.dim),
    router(model, layer),
    ...experts(model, 0.6),
    ...sharedExperts(model, 0.7),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
