/**
 * Rotary position embedding, in place, on the first 2·frequencies.length elements of each head.
 * Source: RoFormer 2104.09864; "halves" is the order of GPT-NeoX.
 */
import type { OpOf } from "../../ops/op.ts";
import { type ReferenceState, type RowRange, slotData } from "./state.ts";

/** (a, b) -> (a·cos − b·sin, a·sin + b·cos) for each pair, the angle being position·frequency. */
export function rope(op: OpOf<"rope">, state: ReferenceState, range: RowRange): void {
  const x = slotData(state, op.x);
  const pairs = op.frequencies.length;
  const headDim = op.x.width / op.heads;
  for (let row = range.first; row < range.end; row++) {
    for (let pair = 0; pair < pairs; pair++) {
      const angle = range.step.position[row]! * op.frequencies[pair]!;
      const cos = Math.cos(angle) * op.magnitude;
      const sin = Math.sin(angle) * op.magnitude;
      for (let head = 0; head < op.heads; head++) {
        const start = row * op.x.width + head * headDim;
        const first = start + (op.pairing === "adjacent" ? 2 * pair : pair);
        const second = first + (op.pairing === "adjacent" ? 1 : pairs);
        const a = x[first]!;
        const b = x[second]!;
        x[first] = a * cos - b * sin;
        x[second] = a * sin + b * cos;
      }
    }
  }
}
