/** Keys and values into the cache, and causal attention over them with grouped heads. */
import type { OpOf } from "../../ops/op.ts";
import { dot } from "./dot.ts";
import { type ReferenceState, type RowRange, slotData } from "./state.ts";

/** k, v [rows, kvHeads, headDim] -> the cache, rounded to its type. */
export function storeKv(op: OpOf<"store-kv">, state: ReferenceState, range: RowRange): void {
  const { kv } = state;
  for (let row = range.first; row < range.end; row++) {
    const at = {
      layer: op.layer,
      sequence: range.step.sequence[row]!,
      position: range.step.position[row]!,
    };
    const begin = row * kv.rowWidth;
    kv.store(at, {
      key: slotData(state, op.k).subarray(begin, begin + kv.rowWidth),
      value: slotData(state, op.v).subarray(begin, begin + kv.rowWidth),
    });
  }
}

/** q [rows, heads, headDim] -> out of the same shape: softmax(q·Kᵀ·scale)·V over positions 0…position. */
export function attention(op: OpOf<"attention">, state: ReferenceState, range: RowRange): void {
  const { kv } = state;
  const { headDim, kvHeads } = kv.shape;
  const q = slotData(state, op.q);
  const out = slotData(state, op.out);
  const keys = kv.keys[op.layer]!;
  const values = kv.values[op.layer]!;
  const weights = new Float64Array(kv.shape.contextLength);
  const sums = new Float64Array(headDim);
  for (let row = range.first; row < range.end; row++) {
    const base = kv.offset(range.step.sequence[row]!, 0);
    const length = range.step.position[row]! + 1;
    for (let head = 0; head < op.heads; head++) {
      const at = (row * op.heads + head) * headDim;
      const kvHead = base + Math.floor((head * kvHeads) / op.heads) * headDim;
      for (let p = 0; p < length; p++) {
        weights[p] = dot(keys, kvHead + p * kv.rowWidth, q, at, headDim) * op.scale;
      }
      const total = exponentials(weights, length);
      sums.fill(0);
      for (let p = 0; p < length; p++) {
        const from = kvHead + p * kv.rowWidth;
        for (let i = 0; i < headDim; i++) sums[i]! += weights[p]! * values[from + i]!;
      }
      for (let i = 0; i < headDim; i++) out[at + i] = sums[i]! / total;
    }
  }
}

/** Replaces scores by e^(score − largest) and returns their sum. */
function exponentials(scores: Float64Array, length: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let p = 0; p < length; p++) largest = Math.max(largest, scores[p]!);
  let total = 0;
  for (let p = 0; p < length; p++) {
    const weight = Math.exp(scores[p]! - largest);
    scores[p] = weight;
    total += weight;
  }
  return total;
}
