/**
 * EXAONE 4: OLMo 2, with norms over each head of q and k. In the model of 32B, three layers of four see a window and
 * rotate, the fourth sees all and knows no positions.
 */
import type { Architecture } from "./architecture.ts";
import type { Hyperparameters, RopeParameters } from "./hyperparameters.ts";
import { olmo2 } from "./olmo2.ts";
import { ropeOfWindows, withoutWindow, withWindows } from "./windows.ts";

/** The one model with windows: no key says so. */
const layersOf32B = 64;

export const exaone4: Architecture = {
  ...olmo2,
  name: "exaone4",
  positions: { kind: "rope", pairing: "halves", of: ropeWhereWindows },
  output: "own or tied",
  numbers: (shape, keys) =>
    shape.layers === layersOf32B
      ? withWindows(shape, keys, { window: 4096, period: 4 })
      : withoutWindow(shape, keys),
  layerWeights: (find) => ({
    attention: {
      ...find.attention(),
      qNorm: find.headNorm("attn_q_norm"),
      kNorm: find.headNorm("attn_k_norm"),
    },
    attentionPostNorm: find.norm("post_attention_norm"),
    ffn: find.ffn(),
    ffnPostNorm: find.norm("post_ffw_norm"),
  }),
};

/** Without windows, all layers rotate. */
function ropeWhereWindows(layer: number, shape: Hyperparameters): RopeParameters | undefined {
  const hasWindows = shape.attention.some(({ window }) => window !== undefined);
  return hasWindows ? ropeOfWindows(layer, shape) : shape.rope;
}
