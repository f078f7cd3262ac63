/**
 * Gemma 4: Gemma 3 whose layers with a window have heads of another width, whose values are normed too, and may be the
 * keys. The small models have an embedding of each layer's own, and last layers that read keys and values of earlier ones.
 * One model has experts beside each block. Source: llama.cpp, src/models/gemma4.cpp.
 */

import type { Slot } from "../ops/op.ts";
import type { Architecture } from "./architecture.ts";
import { withLogitCap } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import type { LayerGraph, Summand } from "./graph.ts";
import { bounds, type Hyperparameters, type KeyReader } from "./hyperparameters.ts";
import type { LayerFinder } from "./layer-finder.ts";
import type { MixtureWeights } from "./mixture.ts";
import { withSharedCache } from "./shared-cache.ts";
import type { LayerWeights } from "./weights.ts";
import { withWindows } from "./windows.ts";

export const gemma4: Architecture = {
  ...gemma3,
  name: "gemma4",
  numbers,
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.valueNormedAttention(),
    attentionPostNorm: find.norm("post_attention_norm"),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.isMixture ? mixture(find) : find.ffn(),
    ffnPostNorm: find.norm("post_ffw_norm"),
    ...find.layerInput(),
    ...find.outputScale(),
  }),
  mixture: {
    scores: "softmax",
    normalise: true,
    neurons: "expert_feed_forward_length",
    isOptional: true,
  },
  layer: (graph, x, weights) => {
    const { attentionNorm, attention, attentionPostNorm } = weights;
    const attended = graph.attention(graph.norm(x, attentionNorm), attention, attentionPostNorm);
    const mixed = graph.add(x, attended);
    const h = graph.add(mixed, feedForward(graph, mixed, weights));
    const { input, outputScale } = weights;
    const sum = input === undefined ? h : graph.add(h, graph.layerInput(h, input));
    return graph.scaled(sum, outputScale);
  },
};

/** The router reads the residual through a norm of its own, divided by √dim. */
function mixture(find: LayerFinder): MixtureWeights {
  const plain = find.mixture();
  const router = find.scaleNorm("ffn_gate_inp");
  return {
    ...plain,
    logits: { ...plain.logits, scale: 1 / Math.sqrt(router.weight.columns) },
    shared: {
      kind: "normed",
      block: find.ffn(),
      norms: {
        router,
        experts: find.norm("pre_ffw_norm_2"),
        ofBlock: find.norm("post_ffw_norm_1"),
        ofExperts: find.norm("post_ffw_norm_2"),
      },
    },
  };
}

function feedForward(graph: LayerGraph, h: Slot, weights: LayerWeights): Summand {
  const { ffn, ffnNorm, ffnPostNorm: postNorm } = weights;
  const blockInput = graph.norm(h, ffnNorm);
  if (ffn.kind === "block" || ffn.shared?.kind !== "normed") {
    return graph.ffn(blockInput, ffn, h, postNorm);
  }
  const { norms } = ffn.shared;
  const routes = graph.routes(graph.norm(h, norms.router, "router input"), ffn);
  const x = graph.norm(h, norms.experts, "experts input");
  return graph.experts(x, ffn, { routes, blockInput, postNorm });
}

function numbers(shape: Hyperparameters, keys: KeyReader): Hyperparameters {
  checkWindows(keys, shape.layers);
  const scales = { ...shape.scales, embedding: Math.sqrt(shape.dim) };
  const capped = withLogitCap({ ...shape, scales }, keys, 30);
  // The file states which layers have a window: no period is assumed.
  const windowed = withWindows(capped, keys, {
    period: 0,
    rope: { base: 10000, ignoresFactors: true },
  });
  // Norms of queries and keys take the place of 1/√width.
  const attention = windowed.attention.map((heads) => ({ ...heads, scale: 1 }));
  const shared = withSharedCache({ ...windowed, attention }, keys);
  const width = keys.optional("embedding_length_per_layer_input", { ...bounds.headDim, min: 0 });
  return { ...shared, ...(width && { layerInputWidth: width }) };
}

function checkWindows(keys: KeyReader, layers: number): void {
  keys.number("attention.sliding_window", { ...bounds.contextLength, min: 1 });
  const key = "attention.sliding_window_pattern";
  const stated = keys.numberOrFlags(key, { bounds: bounds.windowPeriod, layers });
  if (typeof stated !== "object") keys.fail(key, stated ?? "no value", "one flag for each layer");
}
