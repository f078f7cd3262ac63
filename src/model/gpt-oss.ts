/**
 * gpt-oss: experts with biases and a clamped gate, chosen by a router with a bias and weighed among themselves; every other
 * layer sees a window, each head has a sink, each matrix a bias. Source: llama.cpp, src/models/openai-moe.cpp.
 */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";
import { withWindows } from "./windows.ts";

export const gptOss: Architecture = {
  ...llama,
  name: "gpt-oss",
  positions: { kind: "rope", pairing: "halves" },
  gating: "clamped",
  activation: { kind: "clamped-swish" },
  output: "own",
  dataLayouts: [],
  mixture: {
    scores: "softmax-of-chosen",
    normalise: false,
    neurons: "expert_feed_forward_length",
    required: ["ffn_gate_inp.bias", "ffn_gate_exps.bias", "ffn_up_exps.bias", "ffn_down_exps.bias"],
  },
  numbers: (shape, keys) => withWindows(shape, keys, { period: 2 }),
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: { ...find.attention("required"), sinks: find.sinks() },
    ffnNorm: find.norm("post_attention_norm"),
    ffn: find.mixture(),
  }),
};
