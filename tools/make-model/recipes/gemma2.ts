/** Gemma 2: embeddings times √dim, four norms a layer, every second layer with a window, soft caps of scores and logits. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  given,
  headKeys,
  lastNorm,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32, f32 } = metadataValue;

export const gemma2: Recipe = {
  name: "gemma2",
  features: {
    "head-dim": undefined,
    "rope-base": 10000,
    window: 24,
    "window-pattern": undefined,
    "soft-cap": 2,
    "final-soft-cap": 5,
  },
  alwaysTied: true,
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    "attention.sliding_window": given(u32, model.feature("window")),
    "attention.sliding_window_pattern": given(u32, model.feature("window-pattern")),
    attn_logit_softcapping: given(f32, model.feature("soft-cap")),
    final_logit_softcapping: given(f32, model.feature("final-soft-cap")),
  }),
  first: (model) => [embedding(model, Math.sqrt(model.dim))],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    attentionOutput(model, 1),
    norm("post_attention_norm", model.dim, 0.7 * residual(model, Math.sqrt(model.dim))),
    norm("ffn_norm", model.dim),
    ...gatedFfn(model, 1),
    norm("post_ffw_norm", model.dim, 0.7 * residual(model, Math.sqrt(model.dim))),
  ],
  last: (model) => [lastNorm(model)],
};
