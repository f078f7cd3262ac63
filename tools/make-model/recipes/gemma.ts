/** Gemma 1: Llama's tensors with the embedding as the output matrix, and embeddings times √dim, which no key says. */
import { norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  headKeys,
  lastNorm,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

export const gemma: Recipe = {
  name: "gemma",
  features: { "head-dim": undefined, "rope-base": 10000 },
  alwaysTied: true,
  keys: (model) => ({ ...shapeKeys(model), ...headKeys(model) }),
  first: (model) => [embedding(model, Math.sqrt(model.dim))],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    attentionOutput(model, 0.7 * residual(model, Math.sqrt(model.dim))),
    norm("ffn_norm", model.dim),
    ...gatedFfn(model, 0.7 * residual(model, Math.sqrt(model.dim))),
  ],
  last: (model) => [lastNorm(model)],
};
