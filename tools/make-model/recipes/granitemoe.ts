/** Granite 3 with experts; some files have a shared one, ungated. */
import { metadataValue } from "../../../src/gguf/value.ts";
import { norm, type Recipe } from "../recipe.ts";
import {
  expertFeatures,
  expertKeys,
  expertNeurons,
  experts,
  router,
  sharedExperts,
  sharedNeurons,
} from "../recipe-experts.ts";
import { attentionOutput, given, lastNorm, output, projections } from "../recipe-parts.ts";
import { added, granite } from "./granite.ts";

const { u32 } = metadataValue;

const { biases: _, ...scales } = granite.features;

export const granitemoe: Recipe = {
  ...granite,
  name: "granitemoe",
  features: { ...scales, ...expertFeatures, "shared-experts": undefined },
  keys: (model) => ({
    ...granite.keys(model),
    feed_forward_length: u32(expertNeurons(model)),
    ...expertKeys(model),
    expert_shared_feed_forward_length: given(u32, sharedNeurons(model) || undefined),
  }),
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...projections(model),
    attentionOutput(model, added(model)),
    norm("ffn_norm", model.dim),
    router(model, layer),
    ...experts(model, 1.4 * added(model)),
    ...sharedExperts(model, added(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model, model.stock("logit-scale"))],
};
