/** The bound of W·x and of Wᵀ·x: propagated errors of x plus the roundings of the sum. */
import type { Weight } from "../../ops/op.ts";
import { accumulation, flushed } from "../tolerance.ts";
import { type Bounded, type BoundState, weightMagnitudes } from "./bound-state.ts";

/** Bound of one element of the product. */
export type ProductBound = (index: number) => number;

/**
 * |Σ w'x' − Σ wx| ≤ Σ|w|·e(x) + γ(n + 6)·Σ terms·|x|, x being what the product reads (roundedInput).
 * n roundings for products and sum; 4 for making w from its code (scale·code, scale·scale, offset, their sum);
 * 1 for the scale of x; 1 for the reference's own rounding to f32. `index` is a row of W.
 */
export function productBound(state: BoundState, weight: Weight, x: Bounded): ProductBound {
  const { absolute, terms } = weightMagnitudes(state, weight);
  const n = weight.columns;
  const rounded = roundings(n, x);
  if (absolute === terms) {
    const total = rounded.map((value, i) => value + x.errors[i]!);
    return (row) => weightedSum(absolute, row * n, total) + n * flushed;
  }
  return (row) =>
    weightedSum(absolute, row * n, x.errors) + weightedSum(terms, row * n, rounded) + n * flushed;
}

/**
 * The same for a W whose rows are added up, x of its row r times row r (axpy): x is a factor of whole rows and
 * stays f32, whatever the type. `index` is a column of W.
 */
export function axpyBound(state: BoundState, weight: Weight, x: Bounded): ProductBound {
  const { absolute, terms } = weightMagnitudes(state, weight);
  const { rows: n, columns } = weight;
  const rounded = roundings(n, x);
  const bounds = new Float64Array(columns).fill(n * flushed);
  for (let row = 0; row < n; row++) {
    const carried = x.errors[row]!;
    const summed = rounded[row]!;
    if (carried + summed === 0) continue;
    const from = row * columns;
    for (let i = 0; i < columns; i++) {
      bounds[i]! += absolute[from + i]! * carried + terms[from + i]! * summed;
    }
  }
  return (column) => bounds[column]!;
}

/** γ(n + 6)·|x| */
function roundings(n: number, x: Bounded): Float64Array {
  const share = accumulation(n + 6);
  return Float64Array.from(x.values, (value) => share * Math.abs(value));
}

function weightedSum(weights: Float32Array, from: number, values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += weights[from + i]! * values[i]!;
  return sum;
}
