/** Whether a correct backend computes a neuron: surely, surely not, or either, its score being too near to tell. */
import { isActiveIn } from "../../ops/active-bits.ts";
import type { FfnBlock, SparsityMethod } from "../../ops/op.ts";
import { dot } from "../reference/dot.ts";
import { weightData } from "../reference/state.ts";
import { productBound } from "./bound-product.ts";
import { type Bounded, type BoundState, boundedRow } from "./bound-state.ts";
import { roundedInput } from "./rounded-input.ts";

export type Judgement = "active" | "inactive" | "either";

export interface Score {
  readonly value: number;
  readonly error: number;
}

/** Of "score ≥ threshold". */
export function judge({ value, error }: Score, threshold: number): Judgement {
  if (value - error >= threshold) return "active";
  return value + error < threshold ? "inactive" : "either";
}

/** Judges neurons of one row by the predictor of the method; without a predictor all are active. */
export function predictor(
  method: SparsityMethod,
  state: BoundState,
  x: Bounded,
  row: number,
): (neuron: number) => Judgement {
  if (method.kind === "mlp")
    return mlpPredictor(method, state, boundedRow(state, method.input, row));
  if (method.kind === "sign") return signPredictor(method, x);
  if (method.kind === "given") {
    const { values } = boundedRow(state, method.active, row);
    return (neuron) => (isActiveIn(values, neuron) ? "active" : "inactive");
  }
  return () => "active";
}

function mlpPredictor(
  method: Extract<SparsityMethod, { kind: "mlp" }>,
  state: BoundState,
  input: Bounded,
): (neuron: number) => Judgement {
  const { fc1, fc2, threshold } = method;
  const score = productScore(state, fc1, input);
  const middle: Bounded = {
    values: new Float32Array(fc1.rows),
    errors: new Float64Array(fc1.rows),
  };
  for (let r = 0; r < fc1.rows; r++) {
    const { value, error } = score(r);
    middle.values[r] = Math.max(0, value);
    middle.errors[r] = Math.max(0, Math.min(error, value + error));
  }
  const outer = productScore(state, fc2, middle);
  return (neuron) => judge(outer(neuron), threshold);
}

/** Each bit of x that the error of x may turn moves the score by 2. The rest is integers: exact. */
function signPredictor(
  { signs, margin, margins, centre }: Extract<SparsityMethod, { kind: "sign" }>,
  x: Bounded,
): (neuron: number) => Judgement {
  const dim = x.values.length;
  const rowBytes = Math.ceil(dim / 64) * 8;
  const centred = x.values.map((value, i) => value - (centre?.[i] ?? 0));
  const uncertain = x.errors.filter((error, i) => error > 0 && error >= Math.abs(centred[i]!));
  return (neuron) => {
    let score = 0;
    for (let i = 0; i < dim; i++) {
      const isNegative = ((signs[neuron * rowBytes + (i >> 3)]! >> (i & 7)) & 1) === 1;
      score += isNegative === centred[i]! < 0 ? 1 : -1;
    }
    return judge({ value: score, error: 2 * uncertain.length }, margins?.[neuron] ?? margin);
  };
}

/** W·x with its bound, one element at a time. */
export function productScore(
  state: BoundState,
  weight: FfnBlock["up"],
  x: Bounded,
): (row: number) => Score {
  const data = weightData(state.reference, weight);
  const read = roundedInput(state, weight.type, x);
  const bound = productBound(state, weight, read);
  return (row) => ({
    value: dot(data, row * weight.columns, read.values, 0, weight.columns),
    error: bound(row),
  });
}
