/**
 * gpt-oss: experts (as a mixture, each with biases), every second layer with a window, a sink for each head, YaRN, a bias
 * at every matrix. llama.cpp's source calls it openai-moe.
 */
import { metadataValue } from "../../../src/gguf/value.ts";
import {
  bias,
  type MadeTensor,
  matrix,
  norm,
  type Recipe,
  type RecipeModel,
  vector,
} from "../recipe.ts";
import {
  attentionOutput,
  embedding,
  given,
  headKeys,
  lastNorm,
  output,
  projectionBiases,
  projections,
  shapeKeys,
  yarnKeys,
} from "../recipe-parts.ts";

const { u32 } = metadataValue;

function expertCount({ feature, stock }: RecipeModel): number {
  return feature("experts") ?? stock("experts");
}

/** One matrix for each expert. */
function stack(model: RecipeModel, name: string, made: MadeTensor): MadeTensor {
  return { ...made, name, dimensions: [...made.dimensions, expertCount(model)] };
}

function experts(model: RecipeModel): readonly MadeTensor[] {
  const { dim, ffn } = model;
  const count = expertCount(model);
  const biases = (name: string, length: number): MadeTensor =>
    stack(model, `${name}.bias`, bias(name, length));
  return [
    matrix("ffn_gate_inp", count, dim, 2),
    bias("ffn_gate_inp", count),
    stack(model, "ffn_gate_exps.weight", matrix("", ffn, dim)),
    biases("ffn_gate_exps", ffn),
    stack(model, "ffn_up_exps.weight", matrix("", ffn, dim)),
    biases("ffn_up_exps", ffn),
    stack(model, "ffn_down_exps.weight", matrix("", dim, ffn, 0.6)),
    biases("ffn_down_exps", dim),
  ];
}

export const gptOss: Recipe = {
  name: "gpt-oss",
  features: {
    "head-dim": undefined,
    "rope-base": 10000,
    window: 24,
    yarn: 8,
    "original-context": 64,
    experts: 8,
    "experts-used": 2,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    ...yarnKeys(model),
    "attention.sliding_window": u32(model.feature("window") ?? model.context),
    expert_count: u32(expertCount(model)),
    expert_used_count: given(u32, model.feature("experts-used")),
    expert_feed_forward_length: u32(model.ffn),
  }),
  first: (model) => [embedding(model)],
  layer: (model) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    ...projectionBiases(model),
    attentionOutput(model, 0.7),
    bias("attn_output", model.dim),
    // As heavy as a score of middling size; without effect at minus infinity, or nearly.
    vector("attn_sinks.weight", model.heads, { mean: 2, sigma: 1, neutral: -100 }),
    norm("post_attention_norm", model.dim),
    ...experts(model),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
