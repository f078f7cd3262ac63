/** Mistral Small 3.1 and later, Ministral 3: Llama with YaRN, and queries that grow with their position. */
import type { Architecture } from "./architecture.ts";
import { factorBounds, type RopeParameters } from "./hyperparameters.ts";
import { llama } from "./llama.ts";

export const mistral3: Architecture = {
  ...llama,
  name: "mistral3",
  dataLayouts: [],
  numbers: (shape, keys) => {
    const rope = withLogMultiplier(
      shape.rope,
      keys.optional("rope.scaling.yarn_log_multiplier", factorBounds),
    );
    const growth = keys.optional("attention.temperature_scale", factorBounds) ?? 0;
    if (growth === 0) return { ...shape, rope };
    const queries = { length: rope.originalContext, growth };
    return { ...shape, rope, scales: { ...shape.scales, queries } };
  },
};

function withLogMultiplier(rope: RopeParameters, logMultiplier = 0): RopeParameters {
  if (rope.scaling.kind !== "yarn") return rope;
  return { ...rope, scaling: { ...rope.scaling, logMultiplier } };
}
