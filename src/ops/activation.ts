/**
 * The scalar functions of a feed-forward block: act(x), and h from up and gate.
 * Source: GELU, Hendrycks and Gimpel 1606.08415; relu², So et al. 2109.08668; FATReLU, ProSparse 2402.13516.
 */
import type { Gating, RowFunction } from "./op.ts";

/** Of gpt-oss, in gate and up: its published configuration (swiglu_limit). */
const clampLimit = 7;

/** act as a function of one number, in double precision. */
export function activationFunction(activation: RowFunction): (x: number) => number {
  switch (activation.kind) {
    case "silu":
      return (x) => x / (1 + Math.exp(-x));
    case "gelu":
      return (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
    case "gelu-tanh":
      return (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    case "relu":
      return (x) => Math.max(x, 0);
    case "sigmoid":
      return (x) => 1 / (1 + Math.exp(-x));
    case "relu2":
      return (x) => (x > 0 ? x * x : 0);
    case "clamped-swish":
      return (x) => Math.min(x, clampLimit) / (1 + Math.exp(-1.702 * Math.min(x, clampLimit)));
    case "fatrelu": {
      const threshold = activation.threshold;
      return (x) => (x >= threshold ? x : 0);
    }
    default:
      return activation satisfies never;
  }
}

/** h of one neuron from u = up and g = gate (unused when ungated). */
export function hidden(gating: Gating, act: (x: number) => number, u: number, g: number): number {
  switch (gating) {
    case "ungated":
      return act(u);
    case "gated":
      return act(g) * u;
    case "both":
      return act(g) * act(u);
    case "clamped":
      return act(g) * (1 + Math.min(Math.max(u, -clampLimit), clampLimit));
    default:
      return gating satisfies never;
  }
}

/** erf(x) = 2/√π·e^(−x²)·Σ 2ⁿx^(2n+1)/(2n+1)!!: only positive terms, so no cancellation. Abramowitz and Stegun 7.1.6. */
function erf(x: number): number {
  const magnitude = Math.abs(x);
  // 1 − erf(6) = 2e−17, below half an ulp of 1 in double precision.
  if (magnitude > 6) return Math.sign(x);
  let term = magnitude;
  let sum = magnitude;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
