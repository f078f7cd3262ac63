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
  expertCount,
  expertFeatures,
  expertKeys,
  expertNeurons,
  ofExperts,
  router,
} from "../recipe-experts.ts";
import {
  adding,
  attentionOutput,
  embedding,
  headKeys,
  lastNorm,
  output,
  projectionBiases,
  projections,
  shapeKeys,
  yarnKeys,
} from "../recipe-parts.ts";

const { u32 } = metadataValue;

/** So wide that the limits of ±7 cut some of gates and ups. */
const widened = 3;

function biasedExperts(model: RecipeModel): readonly MadeTensor[] {
  const { dim } = model;
  const neurons = expertNeurons(model);
  // E[(x·sigmoid(1.702·x))²] is about half of E[x²], and up has 1 added.
  const down = 1 / (0.7 * widened * Math.sqrt(widened ** 2 + 1));
  return [
    ofExperts(model, matrix("ffn_gate_exps", neurons, dim, widened)),
    ofExperts(model, bias("ffn_gate_exps", neurons, 2)),
    ofExperts(model, matrix("ffn_up_exps", neurons, dim, widened)),
    ofExperts(model, bias("ffn_up_exps", neurons, 2)),
    ofExperts(model, adding(model, matrix("ffn_down_exps", dim, neurons, down))),
    ofExperts(model, bias("ffn_down_exps", dim)),
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
    ...expertFeatures,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    ...yarnKeys(model),
    "attention.sliding_window": u32(model.feature("window") ?? model.context),
    ...expertKeys(model),
    expert_feed_forward_length: u32(expertNeurons(model)),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    ...projectionBiases(model),
    attentionOutput(model, 0.7),
    bias("attn_output", model.dim),
    // Heavier than one of the larger scores; without effect at minus infinity, or nearly.
    vector("attn_sinks.weight", model.heads, { mean: 5, sigma: 1, neutral: -100 }),
    norm("post_attention_norm", model.dim),
    router(model, layer),
    bias("ffn_gate_inp", expertCount(model), 1),
    ...biasedExperts(model),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
