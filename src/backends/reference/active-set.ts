/**
 * Which neurons a method computes, judged before the block runs: predictors "mlp" and "sign".
 * Source: PowerInfer 2312.12456 §5.1 (mlp); SparseInfer 2411.12692 (sign).
 */
import { isActiveIn, writeActive } from "../../ops/active-bits.ts";
import type { FfnBlock, OpOf, Predictor, Slot, SparsityMethod } from "../../ops/op.ts";
import { dot } from "./dot.ts";
import { type ReferenceState, type RowRange, slotData, weightData } from "./state.ts";

export interface FfnRow {
  readonly row: number;
  /** The block's input, f32 [dim]. */
  readonly x: Float32Array;
}

/** Of the candidates, those that the method predicts to be active; methods without a predictor keep all. */
export function predictedActive(
  block: FfnBlock,
  state: ReferenceState,
  among: Uint32Array,
  input: FfnRow,
): Uint32Array {
  const { method } = block;
  switch (method.kind) {
    case "dense":
    case "gate":
    case "threshold-gate":
    case "threshold-output":
      return among;
    case "mlp":
    case "sign":
      return among.filter(predictorOf(method, state, input));
    case "given": {
      const active = slotRow(state, method.active, input.row);
      return among.filter((neuron) => isActiveIn(active, neuron));
    }
    default:
      return method satisfies never;
  }
}

/** The bits of all neurons that the predictor judges to be active. */
export function predict(op: OpOf<"predict">, state: ReferenceState, range: RowRange): void {
  const ids = Uint32Array.from({ length: op.neurons }, (_, id) => id);
  for (let row = range.first; row < range.end; row++) {
    const input = { row, x: slotRow(state, op.x, row) };
    writeActive(slotRow(state, op.out, row), ids.filter(predictorOf(op.predictor, state, input)));
  }
}

function predictorOf(
  predictor: Predictor,
  state: ReferenceState,
  input: FfnRow,
): (neuron: number) => boolean {
  if (predictor.kind === "mlp") {
    const score = mlpScore(predictor, state, input.row);
    return (neuron) => score(neuron) >= predictor.threshold;
  }
  const score = signScore(predictor, input.x);
  return (neuron) => score(neuron) >= (predictor.margins?.[neuron] ?? predictor.margin);
}

function slotRow(state: ReferenceState, slot: Slot, row: number): Float32Array {
  return slotData(state, slot).subarray(row * slot.width, (row + 1) * slot.width);
}

/** (fc2·relu(fc1·input))[neuron] of one row, fc1 [rank, dim], fc2 [neurons, rank]. */
function mlpScore(
  method: Extract<SparsityMethod, { kind: "mlp" }>,
  state: ReferenceState,
  row: number,
): (neuron: number) => number {
  const { columns: dim, rows: rank } = method.fc1;
  const begin = row * dim;
  const whole = slotData(state, method.input).subarray(begin, begin + dim);
  const input = state.roundInput(method.fc1.type, whole);
  const fc1 = weightData(state, method.fc1);
  const fc2 = weightData(state, method.fc2);
  const middle = Float32Array.from({ length: rank }, (_, r) =>
    Math.max(0, dot(fc1, r * dim, input, 0, dim)),
  );
  const rounded = state.roundInput(method.fc2.type, middle);
  return (neuron) => dot(fc2, neuron * rank, rounded, 0, rank);
}

/** dim − 2·popcount(signs[neuron] XOR signs(x − centre)): how many more products are positive than negative. */
function signScore(
  method: Extract<SparsityMethod, { kind: "sign" }>,
  x: Float32Array,
): (neuron: number) => number {
  const rowBytes = Math.ceil(x.length / 64) * 8;
  const signs = new Uint8Array(rowBytes);
  x.forEach((value, i) => {
    if (value - (method.centre?.[i] ?? 0) < 0) signs[i >> 3]! |= 1 << (i & 7);
  });
  return (neuron) => {
    let differing = 0;
    for (let i = 0; i < rowBytes; i++) {
      differing += popcount(signs[i]! ^ method.signs[neuron * rowBytes + i]!);
    }
    return x.length - 2 * differing;
  };
}

function popcount(byte: number): number {
  let count = 0;
  for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
}
