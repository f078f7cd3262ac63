/** Ministral 3: Llama's tensors, heads of their own length, YaRN, and queries that grow with the position. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  given,
  headKeys,
  lastNorm,
  output,
  projections,
  residual,
  shapeKeys,
  yarnKeys,
} from "../recipe-parts.ts";

const { f32 } = metadataValue;

export const mistral3: Recipe = {
  name: "mistral3",
  features: {
    tied: 1,
    "head-dim": undefined,
    "rope-base": 10000,
    yarn: 8,
    "original-context": 64,
    "yarn-beta-fast": 1,
    "yarn-beta-slow": 0.125,
    "yarn-log-multiplier": 1,
    "temperature-scale": 0.5,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    ...yarnKeys(model),
    "attention.temperature_scale": given(f32, model.feature("temperature-scale")),
  }),
  first: (model) => [embedding(model)],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    attentionOutput(model, 0.7 * residual(model)),
    norm("ffn_norm", model.dim),
    ...gatedFfn(model, 0.7 * residual(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
