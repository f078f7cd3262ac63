/** Granite 3: Llama's tensors, with a scale at the embedding, the residual, the scores and the logits. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { bias, type MadeTensor, norm, type Recipe, type RecipeModel } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  given,
  lastNorm,
  output,
  projectionBiases,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { f32 } = metadataValue;

/** What attention and FFN add, before the residual's scale; logits are divided by theirs. */
export function added(model: RecipeModel): number {
  const start = residual(model, model.stock("embedding-scale"), model.stock("logit-scale"));
  return (0.7 * start) / model.stock("residual-scale");
}

function biases(model: RecipeModel): readonly MadeTensor[] {
  return [
    ...projectionBiases(model),
    bias("attn_output", model.dim, 0.3 * added(model)),
    bias("ffn_gate", model.ffn),
    bias("ffn_up", model.ffn),
    bias("ffn_down", model.dim, 0.3 * added(model)),
  ];
}

export const granite: Recipe = {
  name: "granite",
  features: {
    tied: 1,
    biases: undefined,
    "embedding-scale": 12,
    "residual-scale": 0.22,
    "attention-scale": 0.0625,
    "logit-scale": 16,
    "rope-base": 10000,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    "attention.scale": given(f32, model.feature("attention-scale")),
    embedding_scale: given(f32, model.feature("embedding-scale")),
    residual_scale: given(f32, model.feature("residual-scale")),
    // Required.
    logit_scale: f32(model.feature("logit-scale") ?? 1),
  }),
  first: (model) => [embedding(model, model.stock("embedding-scale"), model.stock("logit-scale"))],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    attentionOutput(model, added(model)),
    norm("ffn_norm", model.dim),
    ...gatedFfn(model, added(model)),
    ...(model.feature("biases") === undefined ? [] : biases(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model, model.stock("logit-scale"))],
};
