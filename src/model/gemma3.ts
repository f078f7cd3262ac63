/**
 * Gemma 3: Gemma 2 without caps of scores, with norms over each head of q and k. Five layers of six see a window, and
 * rotate by angles of their own.
 */
import type { Architecture } from "./architecture.ts";
import { gemma2, gemmaNumbers, withLogitCap } from "./gemma2.ts";
import { withWindows } from "./windows.ts";

/** Of the model of 27B, as in Gemma 2. */
const layersOf27B = 62;

export const gemma3: Architecture = {
  ...gemma2,
  name: "gemma3",
  numbers: (shape, keys) =>
    withWindows(withLogitCap(gemmaNumbers(shape, layersOf27B), keys, 0), keys, {
      period: 6,
      rope: { base: 10000, isUnscaled: true },
    }),
  layerWeights: (find) => ({
    ...gemma2.layerWeights(find),
    attention: {
      ...find.attention(),
      qNorm: find.headNorm("attn_q_norm"),
      kNorm: find.headNorm("attn_k_norm"),
    },
  }),
};
