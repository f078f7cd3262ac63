/** Seed-OSS: Qwen 2's tensors, but for the name of the norm before the feed-forward block. */
import { norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  headKeys,
  lastNorm,
  output,
  projectionBiases,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

export const seedOss: Recipe = {
  name: "seed_oss",
  features: { "head-dim": undefined, "rope-base": 1e6 },
  keys: (model) => ({ ...shapeKeys(model), ...headKeys(model) }),
  first: (model) => [embedding(model)],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    ...projectionBiases(model),
    attentionOutput(model, 0.7 * residual(model)),
    norm("post_attention_norm", model.dim),
    ...gatedFfn(model, 0.7 * residual(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
