/**
 * W_down [dim, neurons] → W_down^T [neurons, dim], so that a neuron is a row: which type the rows get. Why:
 * docs/decisions/0004-transposed-down.md. A backend's `transpose` makes them.
 */
import { tensorType } from "../core/dtype.ts";
import type { Weight } from "../ops/op.ts";

/** Types that rows are written in: what the file has, where elements stand alone; else one without visible loss. */
export type DownRowType = "F32" | "F16" | "BF16" | "Q8_0";

/**
 * Elements that stand alone keep their type: moved, not changed. Blocks lie along the other axis and must be made
 * again, in Q8_0, whose error is small against the error the coarser type has brought already; Q8_0 itself becomes
 * F16, which keeps it.
 */
export function downRowType(weight: Weight): DownRowType {
  switch (weight.type) {
    case "F32":
    case "F16":
    case "BF16":
      return weight.type;
    case "Q8_0":
      return "F16";
    case "Q4_0":
    case "Q4_1":
    case "Q5_0":
    case "Q5_1":
    case "Q4_K":
    case "Q5_K":
    case "Q6_K":
      return weight.rows % tensorType("Q8_0").blockElements === 0 ? "Q8_0" : "F16";
    default:
      return weight.type satisfies never;
  }
}

/**
 * Of rows that thresholds leave, most are read: there Q8_0 stays Q8_0. Twice the bytes would not be won back, and a second
 * rounding to eight bits is not seen in perplexity (decision 0007).
 */
export function thresholdRowType(weight: Weight): DownRowType {
  const isWhole = weight.rows % tensorType("Q8_0").blockElements === 0;
  return weight.type === "Q8_0" && isWhole ? "Q8_0" : downRowType(weight);
}
