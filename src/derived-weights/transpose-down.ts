/**
 * W_down [dim, neurons] → W_down^T [neurons, dim], so that a neuron is a row: which type the rows get. Why:
 * docs/decisions/0004-transposed-down.md. A backend's `transpose` makes them.
 */
import { type RowType, weightFormat } from "../core/dtype.ts";
import type { Weight } from "../ops/op.ts";

/** Rows whose length is no multiple of the type's block are F16. */
export function downRowType(weight: Weight): RowType {
  const { rowType } = weightFormat(weight.type);
  return weight.rows % weightFormat(rowType).blockElements === 0 ? rowType : "F16";
}

/**
 * Of rows that thresholds leave, most are read: there Q8_0 stays Q8_0. Twice the bytes would not be won back, and a second
 * rounding to eight bits is not seen in perplexity (decision 0007).
 */
export function thresholdRowType(weight: Weight): RowType {
  const isWhole = weight.rows % weightFormat("Q8_0").blockElements === 0;
  return weight.type === "Q8_0" && isWhole ? "Q8_0" : downRowType(weight);
}
