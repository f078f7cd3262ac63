/** What the layers of a model remember of a sequence: the state of each layer, from its hyperparameters and the limits of a program. */
import { type KvLayer, type KvShape, type KvType, windowLayer } from "../ops/kv-shape.ts";
import { stateLayer } from "./delta-net.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** What of a program's options decides how much its layers remember. */
export interface CacheLimits {
  readonly contextLength: number;
  readonly sequences: number;
  /** A step has at most so many rows. */
  readonly maxRows: number;
  readonly kvType: KvType;
}

export function cacheShape(shape: Hyperparameters, limits: CacheLimits): KvShape {
  const { contextLength, sequences, kvType: type } = limits;
  const layers = shape.attention.map((own, layer): KvLayer => {
    const net = shape.deltaNets?.[layer];
    if (net !== undefined) return stateLayer(net);
    const { kvHeads, keyWidth, valueWidth, window, cacheOf } = own;
    if (cacheOf !== undefined) return { kind: "none" };
    const heads = { kvHeads, keyWidth, valueWidth };
    if (window === undefined) return { kind: "full", ...heads };
    return windowLayer({ ...heads, window }, limits);
  });
  // A sequence with states can go back to those that were saved: one place for each.
  const hasStates = layers.some(({ kind }) => kind === "recurrent");
  const checkpoints = hasStates ? { checkpoints: sequences } : {};
  return { layers, contextLength, sequences, type, ...checkpoints };
}
