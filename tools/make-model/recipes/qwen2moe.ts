/** Qwen1.5 and Qwen2 with experts: biases of q, k and v, experts' weights as softmax gives them, gated shared experts. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import {
  expertFeatures,
  expertKeys,
  expertNeurons,
  experts,
  router,
  sharedExperts,
  sharedGate,
  sharedNeurons,
} from "../recipe-experts.ts";
import {
  attentionOutput,
  embedding,
  lastNorm,
  output,
  projectionBiases,
  projections,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32 } = metadataValue;

export const qwen2moe: Recipe = {
  name: "qwen2moe",
  features: { "rope-base": 1e6, ...expertFeatures, "shared-experts": 2 },
  keys: (model) => ({
    ...shapeKeys(model),
    ...expertKeys(model),
    expert_feed_forward_length: u32(expertNeurons(model)),
    expert_shared_feed_forward_length: u32(sharedNeurons(model)),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    ...projectionBiases(model),
    attentionOutput(model, 0.7),
    norm("ffn_norm", model.dim),
    router(model, layer),
    ...experts(model, 1),
    sharedGate(model),
    ...sharedExperts(model, 0.7),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
