/** Mixtral: Llama's architecture by name, with experts in place of each block. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import { expertFeatures, expertKeys, expertNeurons, experts, router } from "../recipe-experts.ts";
import {
  attentionOutput,
  embedding,
  lastNorm,
  output,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

export const mixtral: Recipe = {
  name: "mixtral",
  architecture: "llama",
  features: { tied: undefined, "rope-base": 1e6, ...expertFeatures },
  keys: (model) => ({
    ...shapeKeys(model),
    feed_forward_length: metadataValue.u32(expertNeurons(model)),
    ...expertKeys(model),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    attentionOutput(model, 0.7 * residual(model)),
    norm("ffn_norm", model.dim),
    router(model, layer),
    ...experts(model, residual(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
