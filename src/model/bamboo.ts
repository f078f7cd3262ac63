/** Bamboo, PowerInfer's Mistral with dReLU: h = relu(gate)·relu(up). */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

export const bamboo: Architecture = {
  ...llama,
  name: "bamboo",
  gating: "both",
  activation: { kind: "relu" },
};
