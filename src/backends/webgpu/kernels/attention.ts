/**
 * Attention of few rows (decode): out = softmax(q·Kᵀ·scale)·V, one workgroup for (head, row, part of the context).
 * Each part keeps a running maximum and sum (Milakov and Gimelshein 1805.02867); parts are joined by a second,
 * small kernel (flash-decoding). With one part the first kernel writes the result itself.
 */
import type { Op } from "../../../ops/op.ts";
import type { KvShape } from "../../../ops/program.ts";
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
  stepType,
  writes,
} from "../kernel.ts";
import { floatLiteral } from "./activation.ts";
import { headStride, kvQuad } from "./kv.ts";

export type AttentionOp = Extract<Op, { kind: "attention" }>;

export interface AttentionBuffers {
  readonly step: BufferSpec;
  readonly shapes: ShapeStore;
  readonly q: BufferSpec;
  readonly keys: BufferSpec;
  readonly values: BufferSpec;
  readonly out: BufferSpec;
  /** [row, head, part] of headStride/4 + 1 vec4: the weighted sum, then (maximum, sum, 0, 0). */
  readonly parts: BufferSpec;
}

/** Row–part pairs that are computed at once at most: enough workgroups for a large card with 32 heads. */
export const maxParts = 64;

export function partsBytes(heads: number, headDim: number): number {
  return maxParts * heads * (headStride(headDim) / 4 + 1) * 16;
}

const lowest = "-1e30";

/** Uniform of the attention kernels; loops over a head end at its `quads`. */
export function attentionShape(op: AttentionOp, kv: KvShape): ShapeFields {
  const quads = headStride(kv.headDim) / 4;
  return {
    quads,
    heads: op.heads,
    kv_heads: kv.kvHeads,
    context: kv.contextLength,
    stride: kv.kvHeads * quads,
    q_stride: slotStride(op.q.width),
    out_stride: slotStride(op.out.width),
  };
}

export function attentionRows(op: AttentionOp, kv: KvShape, buffers: AttentionBuffers): KernelCall {
  const quad = kvQuad(kv.type);
  const shape = attentionShape(op, kv);
  return kernelCall({
    label: "attention rows",
    shape,
    attention: "rows",
    bindings: [
      shapeBinding(buffers.shapes, shape),
      reads("step", stepType, buffers.step),
      reads("q", "array<f32>", buffers.q),
      reads("keys", quad.element, buffers.keys),
      reads("values", quad.element, buffers.values),
      writes("y", "array<f32>", buffers.out),
      writes("parts", "array<vec4<f32>>", buffers.parts),
    ],
    groups: [fixed(op.heads), { kind: "rows", per: 1 }, { kind: "splits" }],
    body: rowsBody(op, kv),
  });
}

function rowsBody(op: AttentionOp, kv: KvShape): string {
  const quads = headStride(kv.headDim) / 4;
  const owners = Math.max(1, Math.floor(64 / quads));
  const perThread = Math.ceil(quads / 64);
  const own = [...Array(perThread).keys()];
  const quad = kvQuad(kv.type);
  return /* wgsl */ `
var<workgroup> query: array<vec4<f32>, ${quads}>;
var<workgroup> weight: array<f32, 64>;
var<workgroup> sums: array<f32, 64>;
var<workgroup> joined: array<vec4<f32>, 64>;
fn largest(t: u32, value: f32) -> f32 {
  weight[t] = value;
  workgroupBarrier();
  if (t < 8u) { for (var i = t + 8u; i < 64u; i += 8u) { weight[t] = max(weight[t], weight[i]); } }
  workgroupBarrier();
  var result = weight[0];
  for (var i = 1u; i < 8u; i++) { result = max(result, weight[i]); }
  workgroupBarrier();
  return result;
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let head = wg.x;
  let row = wg.y;
  let at = step.row[row];
  let begin = wg.z * step.split_length;
  let end = min(begin + step.split_length, at.y + 1u);
  let q_at = row * shape.q_stride + head * ${kv.headDim}u;
  for (var i = t; i < shape.quads; i += 64u) { ${loadQuery(kv.headDim, op.scale, "query[i]", "i")} }
  workgroupBarrier();
  let base = at.x * shape.context * shape.stride + (head * shape.kv_heads / shape.heads) * shape.quads;
  let own = t % shape.quads;
  let owner = t / shape.quads;
  var m = ${lowest};
  var l = 0.0;
  ${own.map((a) => `var acc${a} = vec4<f32>();`).join(" ")}
  for (var tile = begin; tile < end; tile += 64u) {
    let p = tile + t;
    var score = ${lowest};
    if (p < end) {
      score = 0.0;
      let key = base + p * shape.stride;
      for (var i = 0u; i < shape.quads; i++) { score += dot(query[i], ${quad.decode("keys[key + i]")}); }
    }
    let m_new = max(m, largest(t, score));
    weight[t] = select(0.0, exp(score - m_new), p < end);
    let shrink = exp(m - m_new);
    m = m_new;
    workgroupBarrier();
    l *= shrink;
    ${own.map((a) => `acc${a} *= shrink;`).join(" ")}
    let count = min(64u, end - tile);
    if (owner < ${owners}u) {
      for (var i = owner; i < count; i += ${owners}u) {
        let value = base + (tile + i) * shape.stride + own;
        l += weight[i];
        ${own.map((a) => `${perThread > 1 ? `if (own + ${a * 64}u < ${quads}u) ` : ""}{ acc${a} += weight[i] * ${quad.decode(`values[value + ${a * 64}u]`)}; }`).join("\n        ")}
      }
    }
    workgroupBarrier();
  }
  sums[t] = l;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < ${owners}u; i++) { total += sums[i * ${Math.min(quads, 64)}u]; }
  ${own.map((a) => joinOwners(a, { quads, owners, perThread })).join("\n  ")}
  if (t == 0u && step.splits > 1u) {
    parts[((row * shape.heads + head) * step.splits + wg.z) * (shape.quads + 1u) + shape.quads] = vec4<f32>(m, total, 0.0, 0.0);
  }
}
fn finish(row: u32, head: u32, part: u32, quad: u32, value: vec4<f32>, total: f32) {
  if (step.splits > 1u) {
    parts[((row * shape.heads + head) * step.splits + part) * (shape.quads + 1u) + quad] = value;
    return;
  }
  ${storeQuad(kv.headDim, "value / total")}
}
`;
}

/** Adds the sums of the threads that own the same quad and hands them to `finish`. */
function joinOwners(
  a: number,
  {
    quads,
    owners,
    perThread,
  }: { readonly quads: number; readonly owners: number; readonly perThread: number },
): string {
  const index = perThread > 1 ? `t + ${a * 64}u` : "t";
  return `joined[t] = acc${a};
  workgroupBarrier();
  if (${index} < ${quads}u) {
    var value = joined[t];
    for (var i = 1u; i < ${owners}u; i++) { value += joined[t + i * ${quads}u]; }
    finish(row, head, wg.z, ${index}, value, total);
  }
  workgroupBarrier();`;
}

/** WGSL that fills a vec4 with four elements of q times the scale, 0 behind the end of the head. */
export function loadQuery(headDim: number, scale: number, target: string, quad: string): string {
  const element = (e: number): string => {
    const load = `q[q_at + 4u * ${quad} + ${e}u]`;
    return headDim % 4 === 0 ? load : `select(0.0, ${load}, 4u * ${quad} + ${e}u < ${headDim}u)`;
  };
  return `${target} = vec4<f32>(${[0, 1, 2, 3].map(element).join(", ")}) * ${floatLiteral(scale)};`;
}

/** WGSL that stores a quad of a head of the output. */
export function storeQuad(headDim: number, value: string): string {
  return `let result = ${value};
  for (var i = 0u; i < 4u; i++) {
    let e = quad * 4u + i;
    if (e < ${headDim}u) { y[row * shape.out_stride + head * ${headDim}u + e] = result[i]; }
  }`;
}

/** out = Σ e^(m − M)·acc / Σ e^(m − M)·l over the parts. */
export function attentionJoin(op: AttentionOp, kv: KvShape, buffers: AttentionBuffers): KernelCall {
  const shape = attentionShape(op, kv);
  return kernelCall({
    label: "attention join",
    shape,
    attention: "split",
    bindings: [
      shapeBinding(buffers.shapes, shape),
      reads("step", stepType, buffers.step),
      reads("parts", "array<vec4<f32>>", buffers.parts),
      writes("y", "array<f32>", buffers.out),
    ],
    groups: [fixed(op.heads), { kind: "rows", per: 1 }, one],
    body: /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let head = wg.x;
  let row = wg.y;
  let first = (row * shape.heads + head) * step.splits * (shape.quads + 1u);
  var m = ${lowest};
  for (var s = 0u; s < step.splits; s++) { m = max(m, parts[first + s * (shape.quads + 1u) + shape.quads].x); }
  for (var quad = t; quad < shape.quads; quad += 64u) {
    var total = 0.0;
    var sum = vec4<f32>();
    for (var s = 0u; s < step.splits; s++) {
      let at = first + s * (shape.quads + 1u);
      let ml = parts[at + shape.quads];
      let factor = exp(ml.x - m);
      total += factor * ml.y;
      sum += factor * parts[at + quad];
    }
    ${storeQuad(kv.headDim, "sum / total")}
  }
}
`,
  });
}
