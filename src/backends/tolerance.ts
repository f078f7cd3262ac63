/**
 * How far a backend may be from the reference, derived from what its arithmetic does, never from what it got.
 * Scalar formulas, first order in the roundoff; conformance/ carries them through a program op by op.
 * Source of the sums: Higham, Accuracy and Stability of Numerical Algorithms, §3.1 (γ_n) and §4.2.
 */
import { type WeightType, weightFormat } from "../core/dtype.ts";
import type { RowFunction } from "../ops/op.ts";

/** Unit roundoff of f32: a correctly rounded result is off by at most this share of itself. */
export const roundoff: number = 2 ** -24;

/** The smallest normal f32. A backend may flush what is below it to zero, once for each term. */
export const flushed: number = 2 ** -126;

/** γ_n: n roundings in any order, as a share of Σ|terms|. */
export function accumulation(roundings: number): number {
  return (roundings * roundoff) / (1 - roundings * roundoff);
}

/**
 * What a backend does to x before multiplying it with a weight of a type. "int8": exactly the codes and scales of
 * quant/q8-activation.ts. The expected value is then made from them too, so that only f32 errors are allowed: half a
 * step for each element, d/2·Σ|w|, would be as large as the signal after a feed-forward block.
 */
type InputRounding = "none" | "int8";

/** What a backend declares of its arithmetic; everything else is f32. */
export interface Arithmetic {
  readonly inputRounding: (type: WeightType) => InputRounding;
}

/** x stays f32: shaders. */
export const floatArithmetic: Arithmetic = { inputRounding: () => "none" };

/** Integer dot products for the quantised types: CPUs. */
export const integerArithmetic: Arithmetic = {
  inputRounding: (type) => (weightFormat(type).codes === "float" ? "none" : "int8"),
};

/**
 * How far, in steps, the f32 quotient x·(1/d) or x/d ≤ 127 may be from the exact one: three roundings of 127.
 * A code moves to its neighbour where the exact quotient is nearer than this to a tie.
 */
export const codeSlack: number = 127 * 4 * roundoff;

/**
 * Relative error of e^x in f32. The loosest that we accept is WGSL's: 3 + 2·|x| units in the last place
 * (WebGPU Shading Language, 15.7.4); a unit is at most 2 roundoffs. One more for the subtraction that made x.
 */
export function exponentialError(x: number): number {
  return 2 * roundoff * (3 + 2 * Math.abs(x)) + 2 * roundoff * Math.abs(x);
}

/**
 * Absolute error of the sine or cosine of position·frequency: the f32 product is off by u·|angle|, the reduction
 * by 2π as much again, the function by 2 units. A shader's own cos (2^-11 in WGSL) is too coarse: use a table.
 */
export function rotationError(angle: number): number {
  return roundoff * (2 * Math.abs(angle) + 4);
}

/**
 * |act(x') − act(x)| for |x' − x| ≤ error, act being evaluated in f32.
 * Smooth ones by their largest slope (silu 1.0998, gelu 1.1290); those with a corner or a jump by their range.
 */
export function activationError(activation: RowFunction, x: number, error: number): number {
  switch (activation.kind) {
    case "silu": {
      const value = Math.abs(x) / (1 + Math.exp(-x));
      return 1.1 * error + value * (exponentialError(x) + 4 * roundoff) + flushed;
    }
    // Slope at most 1/4; the share of e^-x in 1 + e^-x is 1 − σ, then the sum and a division of 2.5 units (WGSL).
    case "sigmoid": {
      const value = 1 / (1 + Math.exp(-x));
      return 0.25 * error + value * ((1 - value) * exponentialError(x) + 8 * roundoff) + flushed;
    }
    // erf is often Abramowitz and Stegun 7.1.26, |error| ≤ 1.5e−7 < 2^-22; as much again for its evaluation.
    case "gelu":
      return 1.13 * error + 0.5 * Math.abs(x) * (2 ** -21 + 4 * roundoff) + flushed;
    // tanh a = 1 − 2/(e^2a + 1): |a|·(1 − tanh²a) ≤ 0.45, so that errors of a and of e^2a are below 16 roundoffs.
    case "gelu-tanh":
      return 1.13 * error + 0.5 * Math.abs(x) * 16 * roundoff + flushed;
    // As silu with the argument 1.702·x, whose product is one rounding more; its largest slope is the same. e^88 may stand for what lies beyond.
    case "clamped-swish": {
      const y = Math.min(x, 7);
      const steep = 1.702 * y;
      const value = Math.abs(y) / (1 + Math.exp(-steep));
      return (
        1.1 * error +
        value * (exponentialError(steep) + (6 + 2 * Math.abs(steep)) * roundoff) +
        (1 + Math.abs(y)) * flushed
      );
    }
    case "relu":
      return Math.max(0, Math.min(error, x + error));
    case "relu2": {
      const top = Math.max(0, x + error) ** 2;
      return top - Math.max(0, x) ** 2 + Math.max(0, x) ** 2 * 2 * roundoff + flushed;
    }
    case "fatrelu":
      if (Math.abs(x - activation.threshold) <= error) return Math.abs(x) + error;
      return x < activation.threshold ? 0 : error;
    default:
      return activation satisfies never;
  }
}
