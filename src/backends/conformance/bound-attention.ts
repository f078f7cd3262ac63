/** Bounds of what the KV cache holds and of attention over it. */
import type { OpOf } from "../../ops/op.ts";
import type { KvType, Step } from "../../ops/program.ts";
import { floatToHalf, halfToFloat } from "../../quant/half.ts";
import { dot } from "../reference/dot.ts";
import { accumulation, exponentialError, flushed, roundoff } from "../tolerance.ts";
import type { RowBound } from "./bound-rows.ts";
import { type Bounded, type BoundState, boundedRow } from "./bound-state.ts";
import { codeErrors } from "./rounded-input.ts";

/** Carries the bounds of k and v into the cache, which already holds them, rounded. */
export function storeKvBound(op: OpOf<"store-kv">, state: BoundState, step: Step): void {
  const { kv } = state.reference;
  const bound = storedBounds[kv.shape.type];
  for (let row = 0; row < step.rowCount; row++) {
    const at = kv.offset(step.sequence[row]!, step.position[row]!);
    const held = (data: Float32Array): Float32Array => data.subarray(at, at + kv.rowWidth);
    const key = bound(boundedRow(state, op.k, row), held(kv.keys[op.layer]!));
    const value = bound(boundedRow(state, op.v, row), held(kv.values[op.layer]!));
    state.keyErrors[op.layer]!.set(key, at);
    state.valueErrors[op.layer]!.set(value, at);
  }
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
  const { kv } = state.reference;
  const { headDim, kvHeads } = kv.shape;
  return (row) => {
    const whole = boundedRow(state, op.q, row);
    const bounds = new Float64Array(op.q.width);
    const length = step.position[row]! + 1;
    for (let head = 0; head < op.heads; head++) {
      const begin = head * headDim;
      const q = {
        values: whole.values.subarray(begin, begin + headDim),
        errors: whole.errors.subarray(begin, begin + headDim),
      };
      const kvHead = Math.floor((head * kvHeads) / op.heads) * headDim;
      const at = { first: kv.offset(step.sequence[row]!, 0) + kvHead, length };
      const shares = weightErrors(op, state, q, at);
      bounds.set(outputBounds(op, state, shares, at), begin);
    }
    return bounds;
  };
}

/** Of one sequence and KV head: where position 0 stands in the cache, and how many positions are read. */
interface Positions {
  readonly first: number;
  readonly length: number;
}

interface Shares {
  /** Softmax weights. */
  readonly weights: Float64Array;
  /** Relative error of each e^(s − largest). */
  readonly errors: Float64Array;
}

/**
 * e(s) = scale·(Σ|k|e(q) + Σ|q|e(k) + Σe(q)e(k) + γ(n + 4)·Σ|q||k|). In e^s it is a share e^e(s) − 1. A kernel that
 * walks the context in chunks rescales what it has by another exponential: 8 roundoffs for each chunk of 32 or more.
 */
function weightErrors(
  op: OpOf<"attention">,
  state: BoundState,
  q: Bounded,
  { first, length }: Positions,
): Shares {
  const { kv } = state.reference;
  const headDim = q.values.length;
  const keys = kv.keys[op.layer]!;
  const keyErrors = state.keyErrors[op.layer]!;
  const scores = new Float64Array(length);
  const errors = new Float64Array(length);
  for (let p = 0; p < length; p++) {
    const from = first + p * kv.rowWidth;
    scores[p] = dot(keys, from, q.values, 0, headDim) * op.scale;
    let carried = 0;
    let size = 0;
    for (let i = 0; i < headDim; i++) {
      const k = Math.abs(keys[from + i]!);
      const value = Math.abs(q.values[i]!);
      carried += (k + keyErrors[from + i]!) * q.errors[i]! + value * keyErrors[from + i]!;
      size += k * value;
    }
    errors[p] = Math.abs(op.scale) * (carried + accumulation(headDim + 4) * size);
  }
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const rescaling = 8 * roundoff * (1 + Math.ceil(length / 32));
  const weights = scores.map((score) => Math.exp(score - largest));
  const total = weights.reduce((a, b) => a + b);
  return {
    weights: weights.map((weight) => weight / total),
    errors: errors.map(
      (error, p) => Math.expm1(error) + exponentialError(scores[p]! - largest) + rescaling,
    ),
  };
}

function outputBounds(
  op: OpOf<"attention">,
  state: BoundState,
  { weights, errors }: Shares,
  { first, length }: Positions,
): Float64Array {
  const { kv } = state.reference;
  const { headDim } = kv.shape;
  const values = kv.values[op.layer]!;
  const valueErrors = state.valueErrors[op.layer]!;
  const out = new Float64Array(headDim);
  const moved = new Float64Array(headDim);
  const size = new Float64Array(headDim);
  for (let p = 0; p < length; p++) {
    const from = first + p * kv.rowWidth;
    for (let i = 0; i < headDim; i++) out[i]! += weights[p]! * values[from + i]!;
  }
  let totalShare = 0;
  for (let p = 0; p < length; p++) {
    const from = first + p * kv.rowWidth;
    const share = weights[p]! * errors[p]!;
    totalShare += share;
    for (let i = 0; i < headDim; i++) {
      const value = values[from + i]!;
      moved[i]! += share * Math.abs(value - out[i]!);
      moved[i]! += (weights[p]! + share) * valueErrors[from + i]!;
      size[i]! += weights[p]! * Math.abs(value);
    }
  }
  // Dividing by a sum that is itself off by totalShare; n + 6 roundings each for the sum above and the one below.
  const divisor = Math.max(1 - totalShare, 0.5);
  const rounding = 2 * accumulation(length + 6);
  return moved.map((value, i) => value / divisor + rounding * size[i]! + flushed);
}
