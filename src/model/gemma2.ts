/**
 * Gemma 2: Gemma with norms before and behind attention and FFN; scores and logits are capped, and every other layer
 * sees a window.
 */
import type { Architecture } from "./architecture.ts";
import { gemma } from "./gemma.ts";
import { factorBounds, type Hyperparameters, type KeyReader } from "./hyperparameters.ts";
import { ropeByWindow, withSoftCap, withWindows } from "./windows.ts";

/** Of the model of 27B, whose scores are scaled by dim / heads in place of the heads' own width. No key says so. */
const layersOf27B = 46;

export const gemma2: Architecture = {
  ...gemma,
  name: "gemma2",
  positions: { kind: "rope", pairing: "halves", of: ropeByWindow },
  numbers: (shape, keys) => {
    const capped = withSoftCap(withLogitCap(gemmaNumbers(shape, layersOf27B), keys, 30), keys, 50);
    return withWindows(capped, keys, { window: 4096, period: 2 });
  },
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.attention(),
    attentionPostNorm: find.norm("post_attention_norm"),
    ffnNorm: find.norm("ffn_norm"),
    ffn: find.ffn(),
    ffnPostNorm: find.norm("post_ffw_norm"),
  }),
};

/** Embeddings times √dim; scores by dim / heads in the one model that has so many layers. */
export function gemmaNumbers(shape: Hyperparameters, layersByDim: number): Hyperparameters {
  const scales = { ...shape.scales, embedding: Math.sqrt(shape.dim) };
  if (shape.layers !== layersByDim) return { ...shape, scales };
  const attention = shape.attention.map((own) => ({
    ...own,
    scale: 1 / Math.sqrt(shape.dim / own.heads),
  }));
  return { ...shape, attention, scales };
}

/** Key: final_logit_softcapping; `otherwise`: where it is missing. 0: no cap. */
export function withLogitCap(
  shape: Hyperparameters,
  keys: KeyReader,
  otherwise: number,
): Hyperparameters {
  const logitCap = keys.optional("final_logit_softcapping", factorBounds) ?? otherwise;
  return logitCap === 0 ? shape : { ...shape, scales: { ...shape.scales, logitCap } };
}
