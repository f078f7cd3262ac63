/** What bytes alone allow: no launch, no copy, no wait, and the card filled with what is read most often. */
import { rowBytes, type WeightType } from "../../src/core/dtype.ts";
import type { Bytes } from "../../src/core/units.ts";
import { type HardwareProfile, readSpeed } from "../../src/placement/hardware.ts";
import { firingRates, type PaperModel } from "./models.ts";

/**
 * Tokens per second if each device read its share of the bytes of a token: attention, cache, predictors and head are read in full
 * and fill the card first, then neurons, those that fire most first. Hot neurons are read while the CPU reads cold ones.
 */
export function byteLimit(
  model: PaperModel,
  of: {
    readonly type: WeightType;
    readonly rank: number;
    readonly context: number;
    readonly hardware: HardwareProfile;
    readonly budgetBytes: Bytes;
  },
): number {
  const { type, hardware, budgetBytes } = of;
  const always = alwaysBytes(model, of);
  const onCard = Math.min(always, budgetBytes);
  const neuron =
    (model.architecture === "opt" || model.architecture === "falcon" ? 2 : 3) *
    rowBytes(type, model.dim);
  let room = budgetBytes - onCard;
  let cold = 0;
  for (const rate of firingRates(model)) {
    const bytes = model.layers * neuron;
    const hot = Math.min(room, bytes);
    room -= hot;
    cold += rate * (bytes - hot);
  }
  const card = hardware.gpu === null ? 1 : readSpeed(hardware.gpu, type);
  return 1 / (onCard / card + (always - onCard + cold) / readSpeed(hardware.cpu, type));
}

function alwaysBytes(
  { layers, dim, ffn, heads, kvHeads, vocabulary }: PaperModel,
  {
    type,
    rank,
    context,
  }: { readonly type: WeightType; readonly rank: number; readonly context: number },
): Bytes {
  const row = rowBytes(type, dim);
  const kvDim = (dim / heads) * kvHeads;
  const attention = (2 * dim + 2 * kvDim) * row;
  const cache = 2 * context * kvDim * 2;
  const predictor = rank * row + ffn * rowBytes(type, rank);
  return layers * (attention + cache + predictor) + vocabulary * row;
}
