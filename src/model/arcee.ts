/** AFM-4.5B and hearth's default model: Llama's attention with an ungated ReLU² block, sparse without a predictor. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const arcee: Architecture = {
  ...llama,
  name: "arcee",
  gating: "ungated",
  activation: { kind: "relu2" },
};
