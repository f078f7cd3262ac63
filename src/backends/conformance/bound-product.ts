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
  const rounding = accumulation(n + 6);
  return (row) => {
    const from = row * n;
    let carried = 0;
    let summed = 0;
    for (let i = 0; i < n; i++) {
      carried += absolute[from + i]! * x.errors[i]!;
      summed += terms[from + i]! * Math.abs(x.values[i]!);
    }
    return carried + rounding * summed + n * flushed;
  };
}

/**
 * The same for a W whose rows are added up, x of its row r times row r (axpy): x is a factor of whole rows and
 * stays f32, whatever the type. `index` is a column of W.
 */
export function axpyBound(state: BoundState, weight: Weight, x: Bounded): ProductBound {
  const { absolute, terms } = weightMagnitudes(state, weight);
  const { rows: n, columns } = weight;
  const rounding = accumulation(n + 6);
  return (column) => {
    let carried = 0;
    let summed = 0;
    for (let r = 0; r < n; r++) {
      carried += absolute[r * columns + column]! * x.errors[r]!;
      summed += terms[r * columns + column]! * Math.abs(x.values[r]!);
    }
    return carried + rounding * summed + n * flushed;
  };
}
