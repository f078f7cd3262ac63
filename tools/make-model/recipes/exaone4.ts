/** EXAONE 4: OLMo 2's norms behind each block, heads normed one by one; with 64 layers, RoPE only where there is a window. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  given,
  headKeys,
  headNorms,
  lastNorm,
  output,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32 } = metadataValue;

export const exaone4: Recipe = {
  name: "exaone4",
  features: {
    tied: undefined,
    "rope-base": 1e6,
    // llama.cpp has windows in a model of 64 layers only.
    window: undefined,
    "window-pattern": undefined,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    "attention.sliding_window": given(u32, model.feature("window")),
    "attention.sliding_window_pattern": given(u32, model.feature("window-pattern")),
  }),
  first: (model) => [embedding(model)],
  layer: (model) => [
    ...projections(model, 1),
    ...headNorms(model),
    attentionOutput(model, 1),
    norm("post_attention_norm", model.dim, 0.7 * residual(model)),
    ...gatedFfn(model, 1),
    norm("post_ffw_norm", model.dim, 0.7 * residual(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
