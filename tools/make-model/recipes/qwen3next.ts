/** Qwen3-Next: Qwen3.5's layers with experts; strength and decay of a state's heads in one matrix, group after group. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { matrix, norm, type Recipe } from "../recipe.ts";
import {
  expertFeatures,
  expertKeys,
  expertNeurons,
  experts,
  router,
  sharedExperts,
  sharedGate,
  sharedNeurons,
} from "../recipe-experts.ts";
import { embedding, lastNorm, output, residual } from "../recipe-parts.ts";
import {
  gatedAttention,
  hasState,
  mixerFeatures,
  mixerKeys,
  stateLayer,
  stateOf,
} from "./qwen35.ts";

const { u32 } = metadataValue;

export const qwen3next: Recipe = {
  name: "qwen3next",
  features: { tied: undefined, ...mixerFeatures, ...expertFeatures, "shared-experts": 1 },
  keys: (model) => ({
    ...mixerKeys(model),
    ...expertKeys(model),
    expert_feed_forward_length: u32(expertNeurons(model)),
    expert_shared_feed_forward_length: u32(sharedNeurons(model)),
  }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...(hasState(model, layer)
      ? stateLayer(model, [matrix("ssm_ba", 2 * stateOf(model).heads, model.dim, 1.5)])
      : gatedAttention(model)),
    norm("post_attention_norm", model.dim),
    router(model, layer),
    ...experts(model, residual(model)),
    sharedGate(model),
    ...sharedExperts(model, residual(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
