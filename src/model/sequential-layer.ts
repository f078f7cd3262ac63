/** The layer of most transformers: h = x + attention(norm(x)); h + ffn(norm(h)). Some norm what is added, too. */
import type { Slot } from "../ops/op.ts";
import type { LayerGraph } from "./graph.ts";
import type { LayerWeights } from "./weights.ts";

export function sequentialLayer(graph: LayerGraph, x: Slot, weights: LayerWeights): Slot {
  const { attentionNorm, attention, attentionPostNorm, ffnNorm, ffn, ffnPostNorm } = weights;
  const attended = graph.attention(graph.norm(x, attentionNorm), attention, attentionPostNorm);
  const h = graph.add(x, attended);
  return graph.add(h, graph.ffn(graph.norm(h, ffnNorm), ffn, h, ffnPostNorm));
}
