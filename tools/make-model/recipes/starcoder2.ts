/** StarCoder 2: LayerNorm, an ungated GELU, a bias at every matrix of a layer and at every norm. */
import { bias, type MadeTensor, matrix, norm, type Recipe } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  lastNorm,
  output,
  projectionBiases,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

/** E[gelu(z)²] for standard normal z is 0.425. */
const hiddenDeviation = 0.65;

function normWithBias(name: string, length: number): readonly MadeTensor[] {
  return [norm(name, length), bias(name, length)];
}

export const starcoder2: Recipe = {
  name: "starcoder2",
  features: { tied: 1, "rope-base": 100000 },
  keys: (model) => shapeKeys(model, "layer_norm_epsilon"),
  first: (model) => [embedding(model)],
  layer: (model) => [
    ...normWithBias("attn_norm", model.dim),
    ...projections(model),
    ...projectionBiases(model),
    attentionOutput(model, 0.7 * residual(model)),
    bias("attn_output", model.dim, 0.3 * residual(model)),
    ...normWithBias("ffn_norm", model.dim),
    matrix("ffn_up", model.ffn, model.dim),
    bias("ffn_up", model.ffn),
    matrix("ffn_down", model.dim, model.ffn, (0.7 * residual(model)) / hiddenDeviation),
    bias("ffn_down", model.dim, 0.3 * residual(model)),
  ],
  last: (model) => [lastNorm(model), bias("output_norm", model.dim), ...output(model)],
};
