/** Gemma 1: Llama with a gated GELU, RoPE over halves, and embeddings times √dim. The 1 that its norms add is in their weights. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const gemma: Architecture = {
  ...llama,
  name: "gemma",
  positions: { kind: "rope", pairing: "halves" },
  activation: { kind: "gelu-tanh" },
  dataLayouts: [],
  numbers: (shape) => ({
    ...shape,
    scales: { ...shape.scales, embedding: Math.sqrt(shape.dim) },
  }),
};
