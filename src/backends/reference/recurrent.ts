/**
 * Layers with a state of fixed size: the causal convolution over short windows and the gated delta rule. Rows are
 * computed one after another, each from the state that the row before it left.
 * Source: Gated Delta Networks, 2412.06464, equation 10; llama.cpp's reading of it (src/models/delta-net-base.cpp).
 */
import type { OpOf } from "../../ops/op.ts";
import { type ReferenceState, type RowRange, slotData, weightData } from "./state.ts";

/** x [rows, channels] -> out of the same shape. */
export function convolve(op: OpOf<"convolve">, state: ReferenceState, range: RowRange): void {
  const { shape, inputs } = state.recurrent[op.layer]!;
  const { positions, channels } = shape.conv;
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  const weight = weightData(state, op.weight);
  for (let row = range.first; row < range.end; row++) {
    const size = positions * channels;
    const begin = range.step.sequence[row]! * size;
    const held = inputs.subarray(begin, begin + size);
    if (range.step.position[row] === 0) held.fill(0);
    const own = x.slice(row * channels, (row + 1) * channels);
    for (let channel = 0; channel < channels; channel++) {
      const taps = channel * (positions + 1);
      let sum = weight[taps + positions]! * own[channel]!;
      for (let p = 0; p < positions; p++) sum += weight[taps + p]! * held[p * channels + channel]!;
      out[row * channels + channel] = sum;
    }
    held.copyWithin(0, channels);
    held.set(own.subarray(0, Math.min(size, channels)), Math.max(0, size - channels));
  }
}

/** x [rows, 2·keyHeads·keyWidth + heads·valueWidth] -> out [rows, heads, valueWidth]. */
export function deltaRule(op: OpOf<"delta-rule">, state: ReferenceState, range: RowRange): void {
  const { shape, matrices } = state.recurrent[op.layer]!;
  const { heads, rows: keyWidth, columns: valueWidth } = shape.state;
  const out = slotData(state, op.out);
  const size = keyWidth * valueWidth;
  const deltas = new Float64Array(valueWidth);
  for (let row = range.first; row < range.end; row++) {
    for (let head = 0; head < heads; head++) {
      const begin = (range.step.sequence[row]! * heads + head) * size;
      const matrix = matrices.subarray(begin, begin + size);
      if (range.step.position[row] === 0) matrix.fill(0);
      const { q, k, v, decay, strength } = headInputs(op, state, { row, head });
      for (let c = 0; c < valueWidth; c++) {
        let recalled = 0;
        for (let i = 0; i < keyWidth; i++) recalled += k[i]! * decay * matrix[i * valueWidth + c]!;
        deltas[c] = strength * (v[c]! - recalled);
      }
      for (let c = 0; c < valueWidth; c++) {
        let sum = 0;
        for (let i = 0; i < keyWidth; i++) {
          const at = i * valueWidth + c;
          matrix[at] = decay * matrix[at]! + k[i]! * deltas[c]!;
          sum += q[i]! * matrix[at]!;
        }
        out[(row * heads + head) * valueWidth + c] = sum;
      }
    }
  }
}

/** What one head reads of one row. */
export interface HeadInputs {
  /** q/‖q‖/√keyWidth. */
  readonly q: Float64Array;
  /** k/‖k‖. */
  readonly k: Float64Array;
  readonly v: Float32Array;
  /** What multiplies the state: e^(rate·softplus(…)). */
  readonly decay: number;
  /** β. */
  readonly strength: number;
}

export function headInputs(
  op: OpOf<"delta-rule">,
  state: ReferenceState,
  { row, head }: { readonly row: number; readonly head: number },
): HeadInputs {
  const { heads, rows: keyWidth, columns: valueWidth } = state.recurrent[op.layer]!.shape.state;
  const part = (at: number, length: number): Float32Array => {
    const begin = row * op.x.width + at;
    return slotData(state, op.x).subarray(begin, begin + length);
  };
  const keyAt = (Math.floor(head / op.keyRun) % op.keyHeads) * keyWidth;
  const keys = op.keyHeads * keyWidth;
  const gate = row * heads + head;
  const x = slotData(state, op.decay)[gate]! + weightData(state, op.bias)[head]!;
  return {
    q: unit(part(keyAt, keyWidth), op.epsilon, 1 / Math.sqrt(keyWidth)),
    k: unit(part(keys + keyAt, keyWidth), op.epsilon, 1),
    v: part(2 * keys + head * valueWidth, valueWidth),
    decay: Math.exp(weightData(state, op.rate)[head]! * softplus(x)),
    strength: 1 / (1 + Math.exp(-slotData(state, op.strength)[gate]!)),
  };
}

/** log(1 + e^x), which is x where e^-x is nothing beside it. */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** x/‖x‖·length, the norm being at least epsilon. */
function unit(x: Float32Array, epsilon: number, length: number): Float64Array {
  let squares = 0;
  for (const value of x) squares += value * value;
  const scale = length / Math.max(Math.sqrt(squares), epsilon);
  return Float64Array.from(x, (value) => value * scale);
}
