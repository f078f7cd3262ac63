/** Granite 3 with experts, some files with a shared one besides. */
import type { Architecture } from "./architecture.ts";
import { granite } from "./granite.ts";

export const granitemoe: Architecture = {
  ...granite,
  name: "granitemoe",
  mixture: {
    scores: "softmax",
    normalise: true,
    neurons: "feed_forward_length",
    shared: "plain",
  },
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.mixture(),
  }),
};
