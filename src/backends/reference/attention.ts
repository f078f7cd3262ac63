/** Keys and values into the cache, and causal attention over them with grouped heads. */
import { firstSeen } from "../../ops/kv-shape.ts";
import type { OpOf } from "../../ops/op.ts";
import { dot } from "./dot.ts";
import { type ReferenceState, type RowRange, slotData, weightData } from "./state.ts";

/** k [rows, kvHeads, keyWidth], v [rows, kvHeads, valueWidth] -> the cache, rounded to its type. */
export function storeKv(op: OpOf<"store-kv">, state: ReferenceState, range: RowRange): void {
  const { kv } = state;
  const k = slotData(state, op.k);
  const v = slotData(state, op.v);
  for (let row = range.first; row < range.end; row++) {
    const at = {
      layer: op.layer,
      sequence: range.step.sequence[row]!,
      position: range.step.position[row]!,
    };
    kv.store(at, {
      key: k.subarray(row * op.k.width, (row + 1) * op.k.width),
      value: v.subarray(row * op.v.width, (row + 1) * op.v.width),
    });
  }
}

/** q [rows, heads, keyWidth] -> out [rows, heads, valueWidth]: softmax(q·Kᵀ·scale)·V over the positions that a row sees. */
export function attention(op: OpOf<"attention">, state: ReferenceState, range: RowRange): void {
  const { kvHeads, keys, values } = state.kv.layers[op.layer]!;
  const sinks = op.sinks && weightData(state, op.sinks);
  const q = slotData(state, op.q);
  const out = slotData(state, op.out);
  const weights = new Float64Array(state.kv.shape.contextLength);
  const sums = new Float64Array(values.width);
  for (let row = range.first; row < range.end; row++) {
    const sequence = range.step.sequence[row]!;
    const position = range.step.position[row]!;
    const first = firstSeen(position, op.window);
    const length = position + 1 - first;
    for (let head = 0; head < op.heads; head++) {
      const kvHead = Math.floor((head * kvHeads) / op.heads);
      const at = row * op.q.width + head * keys.width;
      for (let p = 0; p < length; p++) {
        const key = keys.offset(sequence, first + p) + kvHead * keys.width;
        weights[p] = capped(dot(keys.data, key, q, at, keys.width) * op.scale, op.softCap);
      }
      const total = exponentials(weights, length, sinks?.[head]);
      sums.fill(0);
      for (let p = 0; p < length; p++) {
        const from = values.offset(sequence, first + p) + kvHead * values.width;
        for (let i = 0; i < values.width; i++) sums[i]! += weights[p]! * values.data[from + i]!;
      }
      const to = row * op.out.width + head * values.width;
      for (let i = 0; i < values.width; i++) out[to + i] = sums[i]! / total;
    }
  }
}

/** cap·tanh(score / cap) */
export function capped(score: number, cap: number | undefined): number {
  return cap === undefined ? score : cap * Math.tanh(score / cap);
}

/** Replaces scores by e^(score − largest) and returns their sum, that of the sink included. */
function exponentials(scores: Float64Array, length: number, sink: number | undefined): number {
  let largest = sink ?? Number.NEGATIVE_INFINITY;
  for (let p = 0; p < length; p++) largest = Math.max(largest, scores[p]!);
  let total = sink === undefined ? 0 : Math.exp(sink - largest);
  for (let p = 0; p < length; p++) {
    const weight = Math.exp(scores[p]! - largest);
    scores[p] = weight;
    total += weight;
  }
  return total;
}
