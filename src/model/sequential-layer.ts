/** The layer of most transformers: h = x + attention(norm(x)); h + ffn(norm(h)). */
import type { Slot } from "../ops/op.ts";
import type { LayerGraph } from "./graph.ts";
import type { LayerWeights } from "./weights.ts";

export function sequentialLayer(graph: LayerGraph, x: Slot, weights: LayerWeights): Slot {
  const { attentionNorm, attention, ffnNorm = attentionNorm, ffn } = weights;
  const h = graph.add(x, graph.attention(graph.norm(x, attentionNorm), attention));
  return graph.add(h, graph.ffn(graph.norm(h, ffnNorm), ffn, h));
}
