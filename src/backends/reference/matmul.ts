/** out (+)= W x (+ bias): each row of out is rows of W times a row of x. */
import type { OpOf } from "../../ops/op.ts";
import { dot, dot4 } from "./dot.ts";
import { type ReferenceState, type RowRange, slotData, weightData } from "./state.ts";

/** W [n, d]; x [rows, d] -> out [rows, n]. Rows are taken four at a time. */
export function matmul(op: OpOf<"matmul">, state: ReferenceState, range: RowRange): void {
  const { rows: n, columns: d } = op.weight;
  const w = weightData(state, op.weight);
  const bias = op.bias && weightData(state, op.bias);
  const rows = slotData(state, op.x).subarray(range.first * d, range.end * d);
  const x = state.roundInput(op.weight.type, rows);
  const out = slotData(state, op.out);
  const sums = new Float64Array(4);
  for (let row = range.first; row < range.end; ) {
    const from = (row - range.first) * d;
    const taken = range.end - row >= 4 ? 4 : 1;
    for (let o = 0; o < n; o++) {
      if (taken === 4) dot4(w, o * d, x, from, d, sums);
      else sums[0] = dot(w, o * d, x, from, d);
      for (let i = 0; i < taken; i++) {
        const at = (row + i) * n + o;
        const value = sums[i]! + (bias === undefined ? 0 : bias[o]!);
        out[at] = op.into === "add" ? out[at]! + value : value;
      }
    }
    row += taken;
  }
}
