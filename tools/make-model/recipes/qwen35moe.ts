/** Qwen3.5 and Qwen3.6 with experts, and a gated shared one. A last layer proposes further tokens. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { type MadeTensor, norm, type Recipe, type RecipeModel } from "../recipe.ts";
import {
  expertFeatures,
  expertKeys,
  expertNeurons,
  experts,
  proposingLayer,
  router,
  sharedExperts,
  sharedGate,
  sharedNeurons,
} from "../recipe-experts.ts";
import { embedding, given, lastNorm, output, residual } from "../recipe-parts.ts";
import {
  gatedAttention,
  hasState,
  mixerFeatures,
  mixerKeys,
  sectionKeys,
  stateLayer,
} from "./qwen35.ts";

const { u32 } = metadataValue;

/** One that proposes has attention whatever its number. */
function mixer(model: RecipeModel, layer: number): readonly MadeTensor[] {
  const isProposing = layer >= model.layers - (model.feature("nextn-layers") ?? 0);
  return hasState(model, layer) && !isProposing ? stateLayer(model) : gatedAttention(model);
}

export const qwen35moe: Recipe = {
  name: "qwen35moe",
  features: {
    tied: undefined,
    ...mixerFeatures,
    ...expertFeatures,
    "shared-experts": 1,
    "fused-experts": undefined,
    "nextn-layers": undefined,
  },
  keys: (model) => ({
    ...mixerKeys(model),
    ...sectionKeys(model),
    // Published files have no such key.
    feed_forward_length: undefined,
    ...expertKeys(model),
    expert_feed_forward_length: u32(expertNeurons(model)),
    expert_shared_feed_forward_length: u32(sharedNeurons(model)),
    nextn_predict_layers: given(u32, model.feature("nextn-layers")),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...mixer(model, layer),
    norm("post_attention_norm", model.dim),
    router(model, layer),
    ...experts(model, residual(model)),
    sharedGate(model),
    ...sharedExperts(model, residual(model)),
    ...proposingLayer(model, layer),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
