/** Scales around a block give what scales beside its matrices give. */
import { expect, it } from "vitest";
import { scalesAround } from "./weight-scales.ts";

const weight = {
  name: "w",
  type: "F32",
  rows: 1,
  columns: 4,
  bytes: { kind: "memory", data: new Uint8Array(16) },
} as const;

/** RMSNorm, ε included, of act(g)·u with ReLU. */
function normed(gate: readonly number[], up: readonly number[], epsilon: number): number[] {
  const h = gate.map((g, i) => Math.max(g, 0) * (up[i] ?? 0));
  const squares = h.reduce((sum, value) => sum + value * value, 0);
  return h.map((value) => value / Math.sqrt(squares / h.length + epsilon));
}

it.each([
  [2, 3, 5],
  [2, -3, 5],
  [-0.5, 3, -1],
])("folds the scales %d of gate, %d of up and %d of down around a norm", (gate, up, down) => {
  const [g, u] = [
    [0.3, -0.2, 0.5, 0.1],
    [-1, 2, 0.7, 0.4],
  ] as const;
  const times = (values: readonly number[], factor: number): number[] =>
    values.map((value) => value * factor);
  const norm = { form: "rms", weight, epsilon: 0.01 } as const;
  const { around, hiddenNorm } = scalesAround({ gate, up, down }, norm);
  const folded = normed(times(g, around.input), times(u, around.input), hiddenNorm.epsilon);
  const expected = times(normed(times(g, gate), times(u, up), norm.epsilon), down);
  times(folded, around.output).forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 12);
  });
});
