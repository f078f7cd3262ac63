/** Granite 3: Llama with factors of the embedding, of what is added to the residual, of scores and of logits. */
import type { Architecture } from "./architecture.ts";
import type { RopeParameters } from "./hyperparameters.ts";
import { llama } from "./llama.ts";

export const granite: Architecture = {
  ...llama,
  name: "granite",
  dataLayouts: [],
  numbers: (shape, keys) => ({
    ...shape,
    // Converters say with this key of another subject whether there are positions at all.
    rope:
      keys.optionalBoolean("rope.scaling.finetuned") === false ? noRope(shape.rope) : shape.rope,
    scales: {
      embedding: keys.factor("embedding_scale"),
      residual: keys.factor("residual_scale"),
      logits: 1 / keys.factor("logit_scale"),
    },
  }),
};

function noRope(rope: RopeParameters): RopeParameters {
  return { ...rope, dims: 0 };
}
