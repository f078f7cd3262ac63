/** Command R7B: attention and FFN beside each other behind one LayerNorm, RoPE only where there is a window. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  given,
  lastNorm,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32, f32 } = metadataValue;

export const cohere2: Recipe = {
  name: "cohere2",
  features: {
    "rope-base": 50000,
    window: 24,
    "window-pattern": 2,
    "logit-scale": 0.25,
  },
  alwaysTied: true,
  keys: (model) => ({
    ...shapeKeys(model, "layer_norm_epsilon"),
    "attention.sliding_window": u32(model.feature("window") ?? model.context),
    "attention.sliding_window_pattern": given(u32, model.feature("window-pattern")),
    logit_scale: f32(model.feature("logit-scale") ?? 1),
  }),
  first: (model) => [embedding(model, 1, 1 / model.stock("logit-scale"))],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    attentionOutput(model, 0.7 * residual(model, 1, 1 / model.stock("logit-scale"))),
    ...gatedFfn(model, 0.7 * residual(model, 1, 1 / model.stock("logit-scale"))),
  ],
  last: (model) => [lastNorm(model)],
};
