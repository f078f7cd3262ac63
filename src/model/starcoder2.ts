/** StarCoder 2: LayerNorm, an ungated block, and a bias at every matrix; RoPE over halves. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const starcoder2: Architecture = {
  ...llama,
  name: "starcoder2",
  norm: "layer",
  positions: { kind: "rope", pairing: "halves" },
  gating: "ungated",
  activation: { kind: "gelu-tanh" },
  dataLayouts: [],
};
