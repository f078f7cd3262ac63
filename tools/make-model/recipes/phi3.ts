/** Phi-3 and Phi-4: fused projections, half of a head rotated, longrope's factors for a short and for a long context. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { type MadeTensor, norm, type Recipe, type RecipeModel, vector } from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  fusedFfn,
  fusedProjections,
  given,
  lastNorm,
  output,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32, f32 } = metadataValue;

/** Divisors of the frequencies. */
export function ropeFactors({ headDim, feature }: RecipeModel): readonly MadeTensor[] {
  if (feature("original-context") === undefined) return [];
  const length = (feature("rope-dims") ?? headDim) / 2;
  const made = (name: string, mean: number): MadeTensor =>
    vector(`rope_factors_${name}.weight`, length, { mean, sigma: 0.15 * mean, neutral: 1 });
  return [made("long", 4), made("short", 1.5)];
}

export const phi3: Recipe = {
  name: "phi3",
  features: {
    tied: 1,
    "rope-base": 10000,
    "rope-dims": 8,
    "original-context": 64,
    "rope-attention-factor": 1.19,
    // Read and not applied, as llama.cpp does.
    window: undefined,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    "attention.sliding_window": given(u32, model.feature("window")),
    "rope.scaling.original_context_length": given(u32, model.feature("original-context")),
    "rope.scaling.attn_factor": given(f32, model.feature("rope-attention-factor")),
  }),
  first: (model) => [embedding(model), ...ropeFactors(model)],
  layer: (model) => [
    norm("attn_norm", model.dim),
    fusedProjections(model),
    attentionOutput(model, 0.5 * residual(model)),
    norm("ffn_norm", model.dim),
    ...fusedFfn(model, 0.7 * residual(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
