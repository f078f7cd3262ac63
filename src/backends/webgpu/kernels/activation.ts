/**
 * WGSL of the activation functions and of h from up and gate. The op's meaning: ops/op.ts, RowFunction and Gating.
 * exp of large arguments is clamped because WGSL may assume that no infinity arises.
 */
import type { Gating, RowFunction } from "../../../ops/op.ts";

/** erf by Abramowitz and Stegun 7.1.26: |error| ≤ 1.5e-7, one and a half ulp of 1. */
const gelu = /* wgsl */ `
fn erf(x: f32) -> f32 {
  let a = abs(x);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return sign(x) * (1.0 - p * exp(-min(a * a, 80.0)));
}
fn act(x: f32) -> f32 { return 0.5 * x * (1.0 + erf(x * 0.7071067811865476)); }
`;

/** Declares `fn act(x: f32) -> f32`. */
export function activationCode(activation: RowFunction): string {
  switch (activation.kind) {
    case "silu":
      return "fn act(x: f32) -> f32 { return x / (1.0 + exp(clamp(-x, -80.0, 80.0))); }";
    case "gelu":
      return gelu;
    case "gelu-tanh":
      // 0.7978845608 = √(2/π); tanh is ±1 in f32 beyond 10.
      return `fn act(x: f32) -> f32 {
  return 0.5 * x * (1.0 + tanh(clamp(0.7978845608028654 * (x + 0.044715 * x * x * x), -10.0, 10.0)));
}`;
    case "clamped-swish":
      return `fn act(x: f32) -> f32 {
  let y = min(x, 7.0);
  return y / (1.0 + exp(clamp(-1.702 * y, -88.0, 88.0)));
}`;
    case "sigmoid":
      return "fn act(x: f32) -> f32 { return 1.0 / (1.0 + exp(clamp(-x, -80.0, 80.0))); }";
    case "relu":
      return "fn act(x: f32) -> f32 { return max(x, 0.0); }";
    case "relu2":
      return "fn act(x: f32) -> f32 { let y = max(x, 0.0); return y * y; }";
    case "fatrelu":
      return `fn act(x: f32) -> f32 { return select(0.0, x, x >= ${floatLiteral(activation.threshold)}); }`;
    default:
      return activation satisfies never;
  }
}

/** Declares `fn is_nan(value: f32) -> bool`, by its bits: a compiler may assume that no value is NaN. */
export const isNan: string =
  "fn is_nan(value: f32) -> bool { return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u; }";

/** Declares `fn soft_cap(value: f32) -> f32`, cap·tanh(value / cap), which keeps NaN, and is_nan. */
export function softCapCode(cap: number): string {
  const literal = floatLiteral(cap);
  // tanh a = 1 − 2 / (e^2a + 1), ±1 in f32 beyond 10.
  return `${isNan}
fn soft_cap(value: f32) -> f32 {
  let capped = ${literal} * (1.0 - 2.0 / (exp(2.0 * clamp(value / ${literal}, -10.0, 10.0)) + 1.0));
  return select(capped, value, is_nan(value));
}`;
}

/** h of one neuron as an expression of WGSL expressions u and g. */
export function hiddenCode(gating: Gating, u: string, g: string): string {
  switch (gating) {
    case "ungated":
      return `act(${u})`;
    case "gated":
      return `act(${g}) * ${u}`;
    case "both":
      return `act(${g}) * act(${u})`;
    case "clamped":
      return `act(${g}) * (1.0 + clamp(${u}, -7.0, 7.0))`;
    default:
      return gating satisfies never;
  }
}

/** A finite f32 as a literal that WGSL reads back bit for bit. */
export function floatLiteral(value: number): string {
  return `bitcast<f32>(${bitsOf(value)}u)`;
}

function bitsOf(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0);
}
