/** Scores of the sign predictor. */
import {
  type BufferSpec,
  type Condition,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  slotStride,
  stepType,
  writes,
} from "../kernel.ts";

export interface SignScore {
  readonly x: BufferSpec;
  /** u32 [neurons, ⌈dim/64⌉·2] */
  readonly signs: BufferSpec;
  /** f32 [dim], subtracted from x. */
  readonly centre?: BufferSpec;
  readonly score: BufferSpec;
  readonly step: BufferSpec;
  readonly dim: number;
  readonly neurons: number;
  readonly of: "rows" | "outputs";
  /** Rows of the step that one read of the signs serves. */
  readonly rows: 1 | 8;
  readonly when: Condition;
}

/** score[m, n] = dim − 2·popcount(signs[n] XOR signs(x[m] − centre)). Source: SparseInfer 2411.12692. */
export function signScore(sign: SignScore): KernelCall {
  const { x, signs, centre, score, step, dim, neurons, of, rows, when } = sign;
  const words = Math.ceil(dim / 64) * 2;
  const eachRow = (body: (r: number) => string): string =>
    [...Array(rows).keys()].map(body).join("\n    ");
  return kernelCall({
    label: "sign score",
    bindings: [
      reads("step", stepType, step),
      reads("x", "array<f32>", x),
      reads("signs", "array<u32>", signs),
      writes("score", "array<f32>", score),
      ...(centre === undefined ? [] : [reads("centre", "array<f32>", centre)]),
    ],
    groups: [fixed(Math.ceil(neurons / 64)), { kind: of, per: rows }, one],
    when,
    work: { bytes: neurons * words * 4, rows, products: neurons * words },
    body: /* wgsl */ `
var<workgroup> bits: array<u32, ${words * rows}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m0 = wg.y * ${rows}u;
  let here = min(${rows}u, step.${of} - m0);
  for (var i = t; i < here * ${words}u; i += 64u) {
    var packed = 0u;
    for (var b = 0u; b < 32u; b++) {
      let c = i % ${words}u * 32u + b;
      if (c < ${dim}u) { packed |= select(0u, 1u << b, x[(m0 + i / ${words}u) * ${slotStride(dim)}u + c]${centre === undefined ? "" : " - centre[c]"} < 0.0); }
    }
    bits[i] = packed;
  }
  workgroupBarrier();
  let n = wg.x * 64u + t;
  if (n >= ${neurons}u) { return; }
  ${eachRow((r) => `var differing${r} = 0u;`)}
  for (var i = 0u; i < ${words}u; i++) {
    let word = signs[n * ${words}u + i];
    ${eachRow((r) => `differing${r} += countOneBits(word ^ bits[${r * words}u + i]);`)}
  }
  ${eachRow((r) => `if (${r}u < here) { score[(m0 + ${r}u) * ${slotStride(neurons)}u + n] = ${dim}.0 - 2.0 * f32(differing${r}); }`)}
}
`,
  });
}
