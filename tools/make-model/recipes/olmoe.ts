/** OLMoE: q and k normed as a whole, the weights of experts as softmax gives them. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import { expertFeatures, expertKeys, expertNeurons, experts, router } from "../recipe-experts.ts";
import {
  attentionOutput,
  embedding,
  lastNorm,
  output,
  projections,
  shapeKeys,
} from "../recipe-parts.ts";

export const olmoe: Recipe = {
  name: "olmoe",
  features: { "rope-base": 10000, ...expertFeatures },
  keys: (model) => ({
    ...shapeKeys(model),
    feed_forward_length: metadataValue.u32(expertNeurons(model)),
    ...expertKeys(model),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...projections(model, 1),
    norm("attn_q_norm", model.heads * model.headDim, 1.5),
    norm("attn_k_norm", model.kvHeads * model.headDim, 1.5),
    attentionOutput(model, 0.7),
    norm("ffn_norm", model.dim),
    router(model, layer),
    ...experts(model, 1),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
