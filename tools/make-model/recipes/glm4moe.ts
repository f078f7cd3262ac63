/**
 * GLM-4.5 to GLM-4.7: sigmoid scores with a bias for the choice, ungated shared experts, first layers without experts;
 * half of a head rotated, biases of q, k and v, heads normed in the large model. A last layer proposes further tokens.
 */
import { metadataValue } from "../../../src/gguf/value.ts";
import { type MadeTensor, matrix, norm, type Recipe, type RecipeModel } from "../recipe.ts";
import {
  expertFeatures,
  expertKeys,
  expertNeurons,
  experts,
  proposingLayer,
  router,
  routingFeatures,
  routingKeys,
  selectionBias,
  sharedExperts,
} from "../recipe-experts.ts";
import {
  attentionOutput,
  embedding,
  gatedFfn,
  given,
  headKeys,
  headNorms,
  lastNorm,
  output,
  projectionBiases,
  projections,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32 } = metadataValue;

function attention(model: RecipeModel): readonly MadeTensor[] {
  const isNormed = model.feature("head-norms") === 1;
  return [
    ...projections(model, isNormed ? 1 : undefined),
    ...projectionBiases(model),
    ...(isNormed ? headNorms(model) : []),
  ];
}

/** With an embedding and an output matrix of its own. */
function proposing(model: RecipeModel, layer: number): readonly MadeTensor[] {
  const { dim, vocabulary } = model;
  const made = proposingLayer(model, layer);
  if (made.length === 0) return [];
  const own = ["nextn.embed_tokens", "nextn.shared_head_head"];
  return [...made, ...own.map((name) => matrix(name, vocabulary, dim))];
}

function block(model: RecipeModel, layer: number): readonly MadeTensor[] {
  if (layer < (model.feature("dense-layers") ?? 0)) return gatedFfn(model, 0.7);
  return [
    router(model, layer),
    ...selectionBias(model),
    ...experts(model, 0.5),
    ...sharedExperts(model, 0.5),
  ];
}

export const glm4moe: Recipe = {
  name: "glm4moe",
  features: {
    "head-dim": undefined,
    "head-norms": 1,
    "rope-base": 1e6,
    "rope-dims": 8,
    ...expertFeatures,
    ...routingFeatures,
    "shared-experts": 1,
    "dense-layers": 1,
    "nextn-layers": undefined,
  },
  keys: (model) => ({
    ...shapeKeys(model),
    ...headKeys(model),
    ...expertKeys(model),
    ...routingKeys(model),
    expert_shared_count: u32(model.feature("shared-experts") ?? 0),
    expert_feed_forward_length: u32(expertNeurons(model)),
    leading_dense_block_count: given(u32, model.feature("dense-layers")),
    nextn_predict_layers: given(u32, model.feature("nextn-layers")),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...attention(model),
    attentionOutput(model, 0.7),
    norm("post_attention_norm", model.dim),
    ...block(model, layer),
    ...proposing(model, layer),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
