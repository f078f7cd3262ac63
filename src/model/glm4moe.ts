/**
 * GLM-4.5 to GLM-4.7: sigmoid scores with a bias for the choice, shared experts that nothing weighs, a first layer without
 * experts; heads are normed in the large model. Layers behind the last one, which propose further tokens, stay unused.
 */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";
import { withoutProposingLayers } from "./proposing-layers.ts";

export const glm4moe: Architecture = {
  ...llama,
  name: "glm4moe",
  positions: { kind: "rope", pairing: "halves" },
  dataLayouts: [],
  mixture: {
    scores: "sigmoid",
    normalise: false,
    neurons: "expert_feed_forward_length",
    keys: ["expert_gating_func", "expert_weights_norm", "expert_weights_scale"],
    shared: "plain",
    required: ["exp_probs_b.bias"],
    hasDenseLayers: true,
  },
  numbers: withoutProposingLayers,
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.has("attn_q_norm.weight") ? find.headNormedAttention() : find.attention(),
    ffnNorm: find.norm("post_attention_norm"),
    ffn: find.isMixture ? find.mixture() : find.ffn(),
  }),
};
