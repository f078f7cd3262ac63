/**
 * What the layers of a model remember of a sequence: the state of each layer, from its hyperparameters and the limits of a
 * program, and how many checkpoints there are of it.
 */
import {
  type KvLayer,
  type KvShape,
  type KvType,
  keepsCheckpoints,
  kvBytes,
  windowLayer,
} from "../ops/kv-shape.ts";
import { stateLayer } from "./delta-net.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** What of a program's options decides how much its layers remember. */
export interface CacheLimits {
  readonly contextLength: number;
  readonly sequences: number;
  /** A step has at most so many rows. */
  readonly maxRows: number;
  readonly kvType: KvType;
  /**
   * Checkpoints for each sequence, where a layer forgets what going back would need. "auto": as many as take no more
   * memory than the sequence itself, 2 to 8. Default 0.
   */
  readonly checkpoints?: number | "auto";
}

/** The last turn's beginning, and its prompt's end: fewer would not serve who asks again in other words. */
const minCheckpoints = 2;
/** More would keep turns that hardly anybody goes back to. */
const maxCheckpoints = 8;

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
  const kv = { layers, contextLength, sequences, type };
  const { checkpoints: wanted = 0 } = limits;
  const each = wanted === "auto" ? checkpointsWithin(kv) : wanted;
  const isNeeded = layers.some((layer) => keepsCheckpoints(layer, contextLength));
  return isNeeded && each > 0 ? { ...kv, checkpoints: each * sequences } : kv;
}

function checkpointsWithin(kv: KvShape): number {
  const one = { ...kv, sequences: 1 };
  const own = kvBytes(one);
  const ofCheckpoint = kvBytes({ ...one, checkpoints: 1 }) - own;
  const fitting = Math.floor(own / Math.max(1, ofCheckpoint));
  return Math.min(maxCheckpoints, Math.max(minCheckpoints, fitting));
}
