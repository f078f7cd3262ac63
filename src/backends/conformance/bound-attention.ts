/** Bounds of what the KV cache holds and of attention over it. */

import { firstSeen, type KvType } from "../../ops/kv-shape.ts";
import type { OpOf, Slot } from "../../ops/op.ts";
import type { Step } from "../../ops/program.ts";
import { floatToHalf, halfToFloat } from "../../quant/half.ts";
import { capped } from "../reference/attention.ts";
import { dot } from "../reference/dot.ts";
import type { CacheRows } from "../reference/kv-cache.ts";
import { weightData } from "../reference/state.ts";
import { accumulation, exponentialError, flushed, roundoff } from "../tolerance.ts";
import type { RowBound } from "./bound-rows.ts";
import { type Bounded, type BoundState, boundedRow } from "./bound-state.ts";
import { codeErrors } from "./rounded-input.ts";

/** Carries the bounds of k and v into the cache, which already holds them, rounded. */
export function storeKvBound(op: OpOf<"store-kv">, state: BoundState, step: Step): void {
  const { kv } = state.reference;
  const { keys, values } = kv.layers[op.layer]!;
  const bound = storedBounds[kv.shape.type];
  const carry = (slot: Slot, rows: CacheRows, errors: Float64Array): void => {
    for (let row = 0; row < step.rowCount; row++) {
      const at = rows.offset(step.sequence[row]!, step.position[row]!);
      const held = rows.data.subarray(at, at + rows.rowWidth);
      errors.set(bound(boundedRow(state, slot, row), held), at);
    }
  };
  carry(op.k, keys, state.keyErrors[op.layer]!);
  carry(op.v, values, state.valueErrors[op.layer]!);
}

type StoredBound = (x: Bounded, held: Float32Array) => Float64Array;

/** Rounding is monotone: what a backend stores lies between the rounded ends of the range of x. */
const storedBounds: Readonly<Record<KvType, StoredBound>> = {
  f32: (x) => x.errors,
  f16: (x, held) =>
    x.errors.map((error, i) => {
      const most = nearestHalf(x.values[i]! + error);
      const least = nearestHalf(x.values[i]! - error);
      return Math.max(most - held[i]!, held[i]! - least);
    }),
  q8_0: (x, held) => codeErrors(x, { held, storedScale: nearestHalf }),
};

function nearestHalf(value: number): number {
  return halfToFloat(floatToHalf(value));
}

/**
 * out = Σ r·v / Σ r with r = e^(s − largest). A share ρ of error in each r moves out by Σ w·ρ·|v − out| (w = r/Σr);
 * the sums over positions and the values' own errors come on top.
 */
export function attentionBound(op: OpOf<"attention">, state: BoundState, step: Step): RowBound {
  const { kvHeads, keys, values } = state.reference.kv.layers[op.layer]!;
  const sinks = op.sinks && weightData(state.reference, op.sinks);
  return (row) => {
    const whole = boundedRow(state, op.q, row);
    const bounds = new Float64Array(op.out.width);
    const sequence = step.sequence[row]!;
    const position = step.position[row]!;
    const first = firstSeen(position, op.window);
    for (let head = 0; head < op.heads; head++) {
      const begin = head * keys.width;
      const q = {
        values: whole.values.subarray(begin, begin + keys.width),
        errors: whole.errors.subarray(begin, begin + keys.width),
      };
      const kvHead = Math.floor((head * kvHeads) / op.heads);
      const placesIn = (rows: CacheRows): readonly number[] =>
        Array.from({ length: position + 1 - first }, (_, i) => {
          return rows.offset(sequence, first + i) + kvHead * rows.width;
        });
      const shares = weightErrors(op, state, q, { places: placesIn(keys), sink: sinks?.[head] });
      bounds.set(outputBounds(op, state, shares, placesIn(values)), head * values.width);
    }
    return bounds;
  };
}

interface Shares {
  /** Softmax weights; the last is that of the sink where there is one, whose value is 0. */
  readonly weights: Float64Array;
  /** Relative error of each e^(s − largest). */
  readonly errors: Float64Array;
}

/**
 * e(s) = scale·(Σ|k|e(q) + Σ|q|e(k) + Σe(q)e(k) + γ(n + 4)·Σ|q||k|). In e^s it is a share e^e(s) − 1. A kernel that
 * walks the context in chunks rescales what it has by another exponential: 8 roundoffs for each chunk of 32 or more.
 * A soft cap has a slope of at most 1, and errors as `scaleBound` says. `places`: where the keys that are read begin.
 */
function weightErrors(
  op: OpOf<"attention">,
  state: BoundState,
  q: Bounded,
  { places, sink }: { readonly places: readonly number[]; readonly sink: number | undefined },
): Shares {
  const { data: keys, width } = state.reference.kv.layers[op.layer]!.keys;
  const keyErrors = state.keyErrors[op.layer]!;
  const terms = places.length + (sink === undefined ? 0 : 1);
  const scores = new Float64Array(terms).fill(sink ?? 0);
  const errors = new Float64Array(terms);
  const { softCap = 0 } = op;
  for (const [p, from] of places.entries()) {
    scores[p] = capped(dot(keys, from, q.values, 0, width) * op.scale, op.softCap);
    let carried = 0;
    let size = 0;
    for (let i = 0; i < width; i++) {
      const k = Math.abs(keys[from + i]!);
      const value = Math.abs(q.values[i]!);
      carried += (k + keyErrors[from + i]!) * q.errors[i]! + value * keyErrors[from + i]!;
      size += k * value;
    }
    errors[p] = Math.abs(op.scale) * (carried + accumulation(width + 4) * size);
    errors[p]! += 16 * roundoff * softCap;
  }
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const rescaling = 8 * roundoff * (1 + Math.ceil(terms / 32));
  const weights = scores.map((score) => Math.exp(score - largest));
  const total = weights.reduce((a, b) => a + b);
  return {
    weights: weights.map((weight) => weight / total),
    errors: errors.map(
      (error, p) => Math.expm1(error) + exponentialError(scores[p]! - largest) + rescaling,
    ),
  };
}

/** `places`: where the values that are read begin in the cache. */
function outputBounds(
  op: OpOf<"attention">,
  state: BoundState,
  { weights, errors }: Shares,
  places: readonly number[],
): Float64Array {
  const { data: values, width } = state.reference.kv.layers[op.layer]!.values;
  const valueErrors = state.valueErrors[op.layer]!;
  const out = new Float64Array(width);
  const moved = new Float64Array(width);
  const size = new Float64Array(width);
  for (const [p, from] of places.entries()) {
    for (let i = 0; i < width; i++) out[i]! += weights[p]! * values[from + i]!;
  }
  let totalShare = 0;
  if (weights.length > places.length) {
    const share = weights.at(-1)! * errors.at(-1)!;
    totalShare += share;
    for (let i = 0; i < width; i++) moved[i]! += share * Math.abs(out[i]!);
  }
  for (const [p, from] of places.entries()) {
    const share = weights[p]! * errors[p]!;
    totalShare += share;
    for (let i = 0; i < width; i++) {
      const value = values[from + i]!;
      moved[i]! += share * Math.abs(value - out[i]!);
      moved[i]! += (weights[p]! + share) * valueErrors[from + i]!;
      size[i]! += weights[p]! * Math.abs(value);
    }
  }
  // Dividing by a sum that is itself off by totalShare; n + 6 roundings each for the sum above and the one below.
  const divisor = Math.max(1 - totalShare, 0.5);
  const rounding = 2 * accumulation(weights.length + 6);
  return moved.map((value, i) => value / divisor + rounding * size[i]! + flushed);
}
