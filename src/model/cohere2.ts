/**
 * Command R7B and Command A: attention and FFN beside each other behind one LayerNorm without a bias. Three layers of four see a
 * window and rotate, the fourth sees all and knows no positions.
 */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";
import { ropeOfWindows, withWindows } from "./windows.ts";

export const cohere2: Architecture = {
  ...llama,
  name: "cohere2",
  norm: "layer",
  outputNormBias: "optional",
  positions: {
    kind: "rope",
    pairing: "adjacent",
    of: ropeOfWindows,
  },
  parallelResidual: true,
  dataLayouts: [],
  numbers: (shape, keys) => {
    const scales = { ...shape.scales, logits: keys.factor("logit_scale") };
    return withWindows({ ...shape, scales }, keys, { window: 4096, period: 4 });
  },
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm", "optional"),
    attention: find.attention(),
    ffn: find.ffn(),
  }),
  layer: (graph, x, { attentionNorm, attention, ffn }) => {
    const normed = graph.norm(x, attentionNorm);
    return graph.add(x, graph.ffn(normed, ffn, x), graph.attention(normed, attention));
  },
};
