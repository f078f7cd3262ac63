/**
 * rms: y = x/√(mean x² + ε)·w;  layer: y = (x − mean)/√(var + ε)·w + b, over equal parts ("groups") of each row.
 * One workgroup for a part; its 64 threads' sums meet in workgroup memory in a fixed order. The variance is taken
 * of x − mean in a second pass, as the reference does, so that a large mean cancels nothing.
 */
import type { OpOf } from "../../../ops/op.ts";
import {
  type BufferSpec,
  fixed,
  type KernelCall,
  kernelCall,
  reads,
  slotStride,
  writes,
} from "../kernel.ts";
import { floatLiteral } from "./activation.ts";

export interface NormBuffers {
  readonly x: BufferSpec;
  readonly out: BufferSpec;
  /** f32 [width / groups]. */
  readonly weight?: BufferSpec;
  readonly bias?: BufferSpec;
}

export function norm(op: OpOf<"norm">, buffers: NormBuffers): KernelCall {
  const width = op.x.width / op.groups;
  const isInPlace = buffers.x === buffers.out;
  const inputs = isInPlace ? [] : [reads("x", "array<f32>", buffers.x)];
  const source = isInPlace ? "y" : "x";
  const weight = buffers.weight === undefined ? "" : " * weight[i]";
  const bias = buffers.bias === undefined ? "" : " + bias[i]";
  const mean = op.form === "rms" ? "0.0" : `total(t, total_of) / ${width}.0`;
  return kernelCall({
    label: `norm ${op.out.name}`,
    bindings: [
      ...inputs,
      writes("y", "array<f32>", buffers.out),
      ...(buffers.weight === undefined ? [] : [reads("weight", "array<f32>", buffers.weight)]),
      ...(buffers.bias === undefined ? [] : [reads("bias", "array<f32>", buffers.bias)]),
    ],
    groups: [
      fixed(op.groups),
      { kind: op.x.rows === "step" ? "rows" : "outputs", per: 1 },
      fixed(1),
    ],
    body: /* wgsl */ `
var<workgroup> partial: array<f32, 64>;
fn total(t: u32, value: f32) -> f32 {
  workgroupBarrier();
  partial[t] = value;
  workgroupBarrier();
  if (t < 8u) {
    var sum = 0.0;
    for (var i = t; i < 64u; i += 8u) { sum += partial[i]; }
    partial[t] = sum;
  }
  workgroupBarrier();
  return ((partial[0] + partial[1]) + (partial[2] + partial[3])) + ((partial[4] + partial[5]) + (partial[6] + partial[7]));
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let src = wg.y * ${slotStride(op.x.width)}u + wg.x * ${width}u;
  let dst = wg.y * ${slotStride(op.out.width)}u + wg.x * ${width}u;
  ${op.form === "layer" ? `var total_of = 0.0;\n  for (var i = t; i < ${width}u; i += 64u) { total_of += ${source}[src + i]; }` : ""}
  let mean = ${mean};
  var squares = 0.0;
  for (var i = t; i < ${width}u; i += 64u) { let d = ${source}[src + i] - mean; squares += d * d; }
  let scale = inverseSqrt(total(t, squares) / ${width}.0 + ${floatLiteral(op.epsilon)});
  for (var i = t; i < ${width}u; i += 64u) { y[dst + i] = (${source}[src + i] - mean) * scale${weight}${bias}; }
}
`,
  });
}
