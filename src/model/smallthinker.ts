/**
 * SmallThinker: the router reads the layer's input, before any norm; the gates of experts are ReLU. With windows, which
 * are of 4096 tokens whatever the file states, every fourth layer sees all and does not rotate. Source: llama.cpp,
 * src/models/smallthinker.cpp.
 */
import type { Slot } from "../ops/op.ts";
import type { Architecture } from "./architecture.ts";
import type { LayerGraph } from "./graph.ts";
import { bounds, type Hyperparameters, type KeyReader } from "./hyperparameters.ts";
import { llama } from "./llama.ts";
import { sequentialLayer } from "./sequential-layer.ts";
import type { LayerWeights } from "./weights.ts";
import { ropeOfWindows, withWindows } from "./windows.ts";

const window = 4096;
/** llama.cpp's step between layers that do not rotate; where it is the number of layers, it means that all of them do. */
const stepWithoutRope = 4;

export const smallthinker: Architecture = {
  ...llama,
  name: "smallthinker",
  positions: {
    kind: "rope",
    pairing: "halves",
    of: (layer, shape) =>
      shape.layers !== stepWithoutRope &&
      shape.attention.some((heads) => heads.window !== undefined)
        ? ropeOfWindows(layer, shape)
        : shape.rope,
  },
  activation: { kind: "relu" },
  dataLayouts: [],
  mixture: {
    scores: "softmax",
    normalise: true,
    neurons: "expert_feed_forward_length",
    keys: ["expert_gating_func"],
  },
  numbers,
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.mixture(),
  }),
  layer,
};

function numbers(shape: Hyperparameters, keys: KeyReader): Hyperparameters {
  const stated = keys.optional("attention.sliding_window", bounds.contextLength) ?? 0;
  const whole = withWindows(shape, keys, { period: 4, full: "first" });
  if (stated === 0) return whole;
  const attention = whole.attention.map((heads) =>
    heads.window === undefined ? heads : { ...heads, window },
  );
  return { ...whole, attention };
}

function layer(graph: LayerGraph, x: Slot, weights: LayerWeights): Slot {
  const { attentionNorm, attention, ffnNorm, ffn } = weights;
  if (ffn.kind !== "mixture") return sequentialLayer(graph, x, weights);
  const routes = graph.routes(x, ffn);
  const h = graph.add(x, graph.attention(graph.norm(x, attentionNorm), attention));
  return graph.add(h, graph.experts(graph.norm(h, ffnNorm), ffn, { routes }));
}
