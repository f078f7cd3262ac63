/** SmolLM3: Llama's tensors; every fourth layer has no RoPE, which no key says. */
import { norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  lastNorm,
  output,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

export const smollm3: Recipe = {
  name: "smollm3",
  features: { tied: 1, "rope-base": 5e6 },
  keys: shapeKeys,
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
