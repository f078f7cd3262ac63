/** BitNet b1.58: a norm before attention's output and one before down; a scale of one number beside each matrix. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { type MadeTensor, norm, type Recipe, type RecipeModel, vector } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  lastNorm,
  projections,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { f32, string } = metadataValue;

function scaled({ feature }: RecipeModel, tensors: readonly MadeTensor[]): readonly MadeTensor[] {
  if (feature("weight-scales") === undefined) return tensors;
  return tensors.flatMap((made) => [
    made,
    vector(made.name.replace(".weight", ".scale"), 1, { mean: 2, sigma: 0.3, neutral: 1 }),
  ]);
}

/** llama.cpp's name, and its conversion of 1bitLLM's models: SiLU. */
export const bitnet: Recipe = {
  name: "bitnet",
  features: { "rope-base": 10000, "weight-scales": 1 },
  alwaysTied: true,
  keys: (model) => ({
    ...shapeKeys(model),
    "rope.scaling.type": string("linear"),
    "rope.scaling.factor": f32(1),
  }),
  first: (model) => [embedding(model)],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...scaled(model, projections(model, 0.8)),
    norm("attn_sub_norm", model.heads * model.headDim),
    ...scaled(model, [attentionOutput(model, 0.35 * residual(model))]),
    norm("ffn_norm", model.dim),
    ...scaled(model, gatedFfn(model, 0.35 * residual(model)).slice(0, 2)),
    norm("ffn_sub_norm", model.ffn),
    ...scaled(model, gatedFfn(model, 0.35 * residual(model)).slice(2)),
  ],
  last: (model) => [lastNorm(model)],
};

/** Microsoft's name, with ReLU²; native llama.cpp does not know it. */
export const bitnet158: Recipe = {
  ...bitnet,
  name: "bitnet-b1.58",
  features: { ...bitnet.features, "weight-scales": undefined },
};
