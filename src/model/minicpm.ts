/** MiniCPM 1 to 4: Granite, whose older files leave its factors to be known. */
import type { Architecture } from "./architecture.ts";
import { granite } from "./granite.ts";

export const minicpm: Architecture = {
  ...granite,
  name: "minicpm",
  numbers: (shape, keys) => ({
    ...shape,
    scales: {
      embedding: keys.factor("embedding_scale", 12),
      residual: keys.factor("residual_scale", 1.4 / Math.sqrt(shape.layers)),
      logits: 1 / keys.factor("logit_scale", 256 / shape.dim),
    },
  }),
};
