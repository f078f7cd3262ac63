/** Phi-3.5-MoE: Llama's projections with biases, biases at norms and at the output, longrope. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { bias, type MadeTensor, norm, type Recipe } from "../recipe.ts";
import { expertFeatures, expertKeys, expertNeurons, experts, router } from "../recipe-experts.ts";
import {
  attentionOutput,
  embedding,
  given,
  lastNorm,
  output,
  projectionBiases,
  projections,
  shapeKeys,
} from "../recipe-parts.ts";
import { ropeFactors } from "./phi3.ts";

const { u32, f32 } = metadataValue;

function normWithBias(name: string, length: number): readonly MadeTensor[] {
  return [norm(name, length), bias(name, length)];
}

export const phimoe: Recipe = {
  name: "phimoe",
  features: {
    "rope-base": 10000,
    "original-context": 64,
    "rope-attention-factor": 1.19,
    ...expertFeatures,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    feed_forward_length: u32(expertNeurons(model)),
    "rope.scaling.original_context_length": given(u32, model.feature("original-context")),
    "rope.scaling.attn_factor": given(f32, model.feature("rope-attention-factor")),
    ...expertKeys(model),
  }),
  first: (model) => [embedding(model), ...ropeFactors(model)],
  layer: (model, layer) => [
    ...normWithBias("attn_norm", model.dim),
    ...projections(model),
    ...projectionBiases(model),
    attentionOutput(model, 0.7),
    bias("attn_output", model.dim),
    ...normWithBias("ffn_norm", model.dim),
    router(model, layer),
    ...experts(model, 1),
  ],
  last: (model) => [
    lastNorm(model),
    bias("output_norm", model.dim),
    ...output(model),
    bias("output", model.vocabulary, 1),
  ],
};
