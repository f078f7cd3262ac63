/**
 * The active set on the GPU: scores of the sign predictor, and compaction of scores to a sorted list of neurons.
 * Nothing is read back: the kernels behind it loop over the list up to a count that lies beside it.
 */
import type { SparsityMethod } from "../../../ops/op.ts";
import {
  type BufferSpec,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  type ShapeFields,
  type ShapeStore,
  shapeBinding,
  slotStride,
  writes,
} from "../kernel.ts";
import { floatLiteral } from "./activation.ts";

/** Where the active set of each row is: ids rising in list [rows, neurons], how many in counts [rows, ops]. */
export interface ActiveList {
  readonly list: BufferSpec;
  readonly counts: BufferSpec;
  readonly ops: number;
  readonly op: number;
  readonly neurons: number;
  readonly of: "rows" | "outputs";
}

/** WGSL of the number of active neurons of row m, and of the i-th of them. */
export function activeCount(m: string): string {
  return `counts[${m} * shape.count_stride + shape.count_at]`;
}

export function activeNeuron(m: string, i: string): string {
  return `list[${m} * shape.neurons + ${i}]`;
}

/**
 * The places [x, y) of a list whose neurons lie in a piece of a weight that was cut: lists rise, so they are neighbours and
 * no kernel steps over neurons of other pieces. Without a list, the piece's own rows. Uniform: shape.first_row, end_row.
 */
export function activeRange(
  active: ActiveList | undefined,
  { piece, neurons }: { readonly piece: { readonly rows: number }; readonly neurons: number },
): { readonly functions: string; readonly code: (m: string) => string } {
  if (active === undefined) {
    return { functions: "", code: () => "vec2<u32>(shape.first_row, shape.end_row)" };
  }
  if (piece.rows === neurons) {
    return { functions: "", code: (m) => `vec2<u32>(0u, ${activeCount(m)})` };
  }
  return {
    functions: /* wgsl */ `
fn place_of(m: u32, n: u32) -> u32 {
  var low = 0u;
  var high = ${activeCount("m")};
  while (low < high) {
    let middle = (low + high) / 2u;
    if (${activeNeuron("m", "middle")} < n) { low = middle + 1u; } else { high = middle; }
  }
  return low;
}`,
    code: (m) => `vec2<u32>(place_of(${m}, shape.first_row), place_of(${m}, shape.end_row))`,
  };
}

/** What all of these need of the kernel's uniform. */
export function activeShape({ ops, op, neurons }: ActiveList): ShapeFields {
  return { count_stride: ops, count_at: op, neurons };
}

export interface Compaction {
  readonly method: Exclude<SparsityMethod, { kind: "dense" }>;
  readonly score: BufferSpec; // f32 [rows, neurons]
  readonly shapes: ShapeStore;
  readonly active: ActiveList;
  /** h of the neurons that are not active becomes 0 here (may be `score`), for a down projection over all. */
  readonly zero?: BufferSpec;
  /** f32 [neurons]: norms of down rows for threshold-output, margins of single neurons for sign. */
  readonly byNeuron?: BufferSpec;
}

/** Whether a neuron is active, as WGSL of its score s and id n. */
function predicate(method: Compaction["method"]): string {
  switch (method.kind) {
    case "gate":
      return "s != 0.0";
    case "mlp":
      return `s >= ${floatLiteral(method.threshold)}`;
    case "sign":
      return method.margins === undefined
        ? `s >= ${floatLiteral(method.margin)}`
        : "s >= by_neuron[n]";
    case "threshold-gate":
      return `abs(s) >= ${floatLiteral(method.value)}`;
    case "threshold-output":
      return `abs(s) * by_neuron[n] >= ${floatLiteral(method.value)}`;
    default:
      return method satisfies never;
  }
}

/**
 * list[m] = the n with active(score[m, n]), rising: a workgroup counts in 256 stretches, adds up what lies before
 * each, and writes. Stretches and sums have a fixed order, so the list never depends on timing.
 */
export function compact({ method, score, active, zero, byNeuron, shapes }: Compaction): KernelCall {
  const { neurons } = active;
  const shape = {
    ...activeShape(active),
    stretch: Math.ceil(neurons / 256),
    stride: slotStride(neurons),
  };
  const isInPlace = zero === score;
  const clear =
    zero === undefined ? "" : `else { ${isInPlace ? "score" : "zeroed"}[row + n] = 0.0; }`;
  return kernelCall({
    label: `compact ${method.kind}`,
    shape,
    bindings: [
      shapeBinding(shapes, shape),
      isInPlace ? writes("score", "array<f32>", score) : reads("score", "array<f32>", score),
      writes("list", "array<u32>", active.list),
      writes("counts", "array<u32>", active.counts),
      ...(zero === undefined || isInPlace ? [] : [writes("zeroed", "array<f32>", zero)]),
      ...(byNeuron === undefined ? [] : [reads("by_neuron", "array<f32>", byNeuron)]),
    ],
    groups: [one, { kind: active.of, per: 1 }, one],
    body: /* wgsl */ `
var<workgroup> found: array<u32, 256>;
var<workgroup> sixteenth: array<u32, 16>;
fn is_active(s: f32, n: u32) -> bool { return ${predicate(method)}; }
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m = wg.y;
  let row = m * shape.stride;
  let begin = min(t * shape.stretch, shape.neurons);
  let end = min(begin + shape.stretch, shape.neurons);
  var count = 0u;
  for (var n = begin; n < end; n++) { if (is_active(score[row + n], n)) { count++; } }
  found[t] = count;
  workgroupBarrier();
  if (t < 16u) {
    var sum = 0u;
    for (var i = 0u; i < 16u; i++) { sum += found[t * 16u + i]; }
    sixteenth[t] = sum;
  }
  workgroupBarrier();
  var at = 0u;
  for (var i = 0u; i < t / 16u; i++) { at += sixteenth[i]; }
  for (var i = t / 16u * 16u; i < t; i++) { at += found[i]; }
  if (t == 255u) { ${activeCount("m")} = at + count; }
  for (var n = begin; n < end; n++) {
    if (is_active(score[row + n], n)) { ${activeNeuron("m", "at")} = n; at++; } ${clear}
  }
}
`,
  });
}

export interface SignScore {
  readonly x: BufferSpec;
  /** u32 [neurons, ⌈dim/64⌉·2] */
  readonly signs: BufferSpec;
  /** f32 [dim], subtracted from x. */
  readonly centre?: BufferSpec;
  readonly score: BufferSpec;
  readonly dim: number;
  readonly neurons: number;
  readonly of: "rows" | "outputs";
}

/** score[m, n] = dim − 2·popcount(signs[n] XOR signs(x[m] − centre)). Source: SparseInfer 2411.12692. */
export function signScore({ x, signs, centre, score, dim, neurons, of }: SignScore): KernelCall {
  const words = Math.ceil(dim / 64) * 2;
  return kernelCall({
    label: "sign score",
    bindings: [
      reads("x", "array<f32>", x),
      reads("signs", "array<u32>", signs),
      writes("score", "array<f32>", score),
      ...(centre === undefined ? [] : [reads("centre", "array<f32>", centre)]),
    ],
    groups: [fixed(Math.ceil(neurons / 64)), { kind: of, per: 1 }, one],
    body: /* wgsl */ `
var<workgroup> bits: array<u32, ${words}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m = wg.y;
  for (var i = t; i < ${words}u; i += 64u) {
    var packed = 0u;
    for (var b = 0u; b < 32u; b++) {
      let c = i * 32u + b;
      if (c < ${dim}u) { packed |= select(0u, 1u << b, x[m * ${slotStride(dim)}u + c]${centre === undefined ? "" : " - centre[c]"} < 0.0); }
    }
    bits[i] = packed;
  }
  workgroupBarrier();
  let n = wg.x * 64u + t;
  if (n >= ${neurons}u) { return; }
  var differing = 0u;
  for (var i = 0u; i < ${words}u; i++) { differing += countOneBits(signs[n * ${words}u + i] ^ bits[i]); }
  score[m * ${slotStride(neurons)}u + n] = ${dim}.0 - 2.0 * f32(differing);
}
`,
  });
}
