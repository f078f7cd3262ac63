/**
 * OLMo 2, and OLMo 3 with a window: norms behind attention and FFN instead of before them, q and k normed as a whole.
 * Layers with a window have no YaRN.
 */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  given,
  lastNorm,
  output,
  projections,
  shapeKeys,
  yarnKeys,
} from "../recipe-parts.ts";

const { u32 } = metadataValue;

export const olmo2: Recipe = {
  name: "olmo2",
  features: {
    "rope-base": 500000,
    window: undefined,
    "window-pattern": undefined,
    yarn: undefined,
    "original-context": undefined,
    "yarn-beta-fast": undefined,
    "yarn-beta-slow": undefined,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    "attention.sliding_window": given(u32, model.feature("window")),
    "attention.sliding_window_pattern": given(u32, model.feature("window-pattern")),
    ...yarnKeys(model),
  }),
  first: (model) => [embedding(model)],
  layer: (model) => [
    ...projections(model, 1),
    norm("attn_q_norm", model.heads * model.headDim, 1.5),
    norm("attn_k_norm", model.kvHeads * model.headDim, 1.5),
    attentionOutput(model, 1),
    norm("post_attention_norm", model.dim, 0.7),
    ...gatedFfn(model, 1),
    norm("post_ffw_norm", model.dim, 0.7),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
