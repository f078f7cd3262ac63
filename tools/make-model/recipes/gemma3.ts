/** Gemma 3: Gemma 2's norms, normed heads in place of soft caps, a RoPE of their own for layers with a window. */
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
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32, f32, string } = metadataValue;

export const gemma3: Recipe = {
  name: "gemma3",
  features: {
    "head-dim": undefined,
    "rope-base": 1e6,
    "rope-base-swa": 500,
    "rope-factor": 8,
    window: 24,
    // Published files have no pattern: every sixth layer sees all tokens.
    "window-pattern": 2,
  },
  alwaysTied: true,
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    "attention.sliding_window": given(u32, model.feature("window")),
    "attention.sliding_window_pattern": given(u32, model.feature("window-pattern")),
    "rope.freq_base_swa": given(f32, model.feature("rope-base-swa")),
    "rope.scaling.type": given(() => string("linear"), model.feature("rope-factor")),
    "rope.scaling.factor": given(f32, model.feature("rope-factor")),
  }),
  first: (model) => [embedding(model, Math.sqrt(model.dim))],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...projections(model, 1),
    ...headNorms(model),
    attentionOutput(model, 1),
    norm("post_attention_norm", model.dim, 0.7 * residual(model, Math.sqrt(model.dim))),
    norm("ffn_norm", model.dim),
    ...gatedFfn(model, 1),
    norm("post_ffw_norm", model.dim, 0.7 * residual(model, Math.sqrt(model.dim))),
  ],
  last: (model) => [lastNorm(model)],
};
