/**
 * RMS and layer norm over equal groups of a row.
 * Source: Zhang and Sennrich 1910.07467 (rms); Ba et al. 1607.06450 (layer).
 */
import type { OpOf } from "../../ops/op.ts";
import { type ReferenceState, type RowRange, slotData, weightData } from "./state.ts";

/** x [rows, groups, width/groups] -> out of the same shape, weight and bias [width/groups] shared by the groups. */
export function norm(op: OpOf<"norm">, state: ReferenceState, range: RowRange): void {
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  const weight = op.weight && weightData(state, op.weight);
  const bias = op.bias && weightData(state, op.bias);
  const size = op.x.width / op.groups;
  for (let group = range.first * op.groups; group < range.end * op.groups; group++) {
    const offset = group * size;
    const mean = op.form === "layer" ? meanOf(x, offset, size) : 0;
    let squares = 0;
    for (let i = 0; i < size; i++) squares += (x[offset + i]! - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / size + op.epsilon);
    for (let i = 0; i < size; i++) {
      const scaled = (x[offset + i]! - mean) * scale * (weight === undefined ? 1 : weight[i]!);
      out[offset + i] = scaled + (bias === undefined ? 0 : bias[i]!);
    }
  }
}

function meanOf(x: Float32Array, offset: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += x[offset + i]!;
  return sum / size;
}
