/** GLM-4 of April 2025: biases of q, k and v, half of a head rotated, norms before and behind each block. */
import { norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  fusedFfn,
  headKeys,
  lastNorm,
  output,
  projectionBiases,
  projections,
  shapeKeys,
} from "../recipe-parts.ts";

export const glm4: Recipe = {
  name: "glm4",
  features: { "head-dim": undefined, "rope-base": 10000, "rope-dims": 8 },
  keys: (model) => ({ ...shapeKeys(model), ...headKeys(model) }),
  first: (model) => [embedding(model)],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    ...projectionBiases(model),
    attentionOutput(model, 1),
    norm("post_attention_norm", model.dim, 0.7),
    norm("ffn_norm", model.dim),
    ...fusedFfn(model, 1),
    norm("post_ffw_norm", model.dim, 0.7),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
