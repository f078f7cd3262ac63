/**
 * Attention of few rows (decode): out = softmax(q·Kᵀ·scale)·V, one workgroup for (KV head, row, part of the context).
 * It serves up to eight of the query heads that share the KV head, so that keys and values are read once for them.
 * Each part keeps a running maximum and sum (Milakov and Gimelshein 1805.02867); parts are joined by a second,
 * small kernel (flash-decoding). With one part the first kernel writes the result itself.
 */

import type { KvCells } from "../../../ops/kv-shape.ts";
import type { OpOf } from "../../../ops/op.ts";
import {
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  repeat,
  shapeBinding,
  stepType,
  writes,
} from "../kernel.ts";
import {
  type AttentionBuffers,
  attentionShape,
  capDeclaration,
  cappedScore,
  cellCode,
  firstSeenCode,
  largestCode,
  loadQuery,
  lowest,
  sinkBindings,
  storeQuad,
} from "./attention-parts.ts";
import { headStride, kvQuad } from "./kv.ts";
import { laneThreads, threadNumber } from "./lane-sums.ts";

/** Row–part pairs that are computed at once at most: enough workgroups for a large card with 32 heads. */
export const maxParts = 64;

export function partsBytes(heads: number, headDim: number): number {
  return maxParts * heads * (headStride(headDim) / 4 + 1) * 16;
}

/** How the work on one KV head is cut. */
interface HeadGroup {
  /** Query heads of a KV head, and of them those that a workgroup serves at once. */
  readonly ofKvHead: number;
  readonly heads: number;
  /** Workgroups of a KV head. */
  readonly chunks: number;
  /** Threads that share the softmax of a head. */
  readonly perHead: number;
}

/** Eight heads: their sums are 32 registers, their queries (512 vec4 at most) half of the guaranteed 16 KiB. */
function headGroup({ heads }: OpOf<"attention">, kv: KvCells): HeadGroup {
  const ofKvHead = heads / kv.kvHeads;
  const most = Math.max(1, Math.min(8, Math.floor(512 / (headStride(kv.keyWidth) / 4))));
  const chunks = Math.ceil(ofKvHead / most);
  const together = Math.ceil(ofKvHead / chunks);
  const perHead = laneThreads / 2 ** Math.ceil(Math.log2(together));
  return { ofKvHead, heads: together, chunks, perHead };
}

export function attentionRows(
  op: OpOf<"attention">,
  kv: KvCells,
  buffers: AttentionBuffers,
): KernelCall {
  const { features } = buffers.shapes;
  const quad = kvQuad(kv.type, features);
  const group = headGroup(op, kv);
  const shape = { ...attentionShape(op, kv), together: group.heads };
  return kernelCall({
    label: "attention rows",
    shape,
    features,
    attention: "rows",
    bindings: [
      shapeBinding(buffers.shapes, shape),
      reads("step", stepType, buffers.step),
      reads("q", "array<f32>", buffers.q),
      reads("keys", quad.element, buffers.keys),
      reads("values", quad.element, buffers.values),
      writes("y", "array<f32>", buffers.out),
      writes("parts", "array<vec4<f32>>", buffers.parts),
      ...sinkBindings(buffers),
    ],
    groups: [fixed(kv.kvHeads * group.chunks), { kind: "rows", per: 1 }, { kind: "splits" }],
    body: rowsBody({ op, kv, group, buffers }),
  });
}

interface RowsKernel {
  readonly op: OpOf<"attention">;
  readonly kv: KvCells;
  readonly group: HeadGroup;
  readonly buffers: AttentionBuffers;
}

function eachHead({ group, buffers }: RowsKernel, body: (h: string) => string): string {
  return repeat(buffers.shapes, { index: "h", field: "together", count: group.heads }, body);
}

/** Quads of a head's value that a thread owns: one, up to heads of 256. */
function ownQuads({ valueWidth }: KvCells): readonly number[] {
  return [...Array(Math.ceil(headStride(valueWidth) / 4 / laneThreads)).keys()];
}

function rowsBody(kernel: RowsKernel): string {
  const { op, kv, group, buffers } = kernel;
  const quads = headStride(kv.keyWidth) / 4;
  const thread = threadNumber(buffers.shapes.features);
  const own = ownQuads(kv);
  return /* wgsl */ `${capDeclaration(op)}
var<workgroup> query: array<vec4<f32>, ${group.heads * quads}>;
var<workgroup> weight: array<f32, ${group.heads * 64}>;
var<workgroup> partial: array<f32, 64>;
var<workgroup> shrink: array<f32, ${group.heads}>;
var<workgroup> joined: array<vec4<f32>, 64>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, ${thread.parameters}) {
  ${thread.code}
  let kv_head = wg.x / ${group.chunks}u;
  let first_of_kv = (wg.x % ${group.chunks}u) * ${group.heads}u;
  let heads_here = min(${group.heads}u, ${group.ofKvHead}u - first_of_kv);
  let head0 = kv_head * ${group.ofKvHead}u + first_of_kv;
  let row = wg.y;
  let at = step.row[row];
  let part_begin = wg.z * step.split_length;
  let end = min(part_begin + step.split_length, at.y + 1u);
  let first_seen = ${firstSeenCode(op, "at.y")};
  let begin = max(part_begin, first_seen - first_seen % 64u);
  for (var i = t; i < ${group.heads}u * shape.quads; i += 64u) {
    let head = head0 + min(i / shape.quads, heads_here - 1u);
    let q_at = row * shape.q_stride + head * ${kv.keyWidth}u;
    ${loadQuery(kv.keyWidth, op.scale, "query[i]", "(i % shape.quads)")}
  }
  workgroupBarrier();
  let base = at.x * shape.cells * shape.stride + kv_head * shape.quads;
  let value_base = at.x * shape.cells * shape.value_stride + kv_head * shape.value_quads;
  let own = t % shape.value_quads;
  let owner = t / shape.value_quads;
  // Threads of the softmax: this one's head, and its place among them.
  let my_head = t / ${group.perHead}u;
  let my_place = t % ${group.perHead}u;
  var m = ${lowest};
  var l = 0.0;
  ${buffers.sinks === undefined ? "" : startFromSink}
  ${own.map((a) => `var acc${a}: array<vec4<f32>, ${group.heads}>;`).join(" ")}
  for (var tile = begin; tile < end; tile += 64u) {
    let cell = ${cellCode(op, "tile")};
${scoreCode(kernel)}
    workgroupBarrier();
${softmaxCode(kernel)}
    workgroupBarrier();
${valueCode(kernel)}
    workgroupBarrier();
  }
  partial[t] = l;
  if (my_place == 0u && my_head < ${group.heads}u) { shrink[my_head] = m; }
  ${eachHead(kernel, (h) => own.map((a) => joinOwners(a, h, kv)).join("\n  "))}
  if (t < heads_here && step.splits > 1u) {
    parts[((row * shape.heads + head0 + t) * step.splits + wg.z) * (shape.value_quads + 1u) + shape.value_quads] = vec4<f32>(shrink[t], total_of(t), 0.0, 0.0);
  }
}
fn total_of(head: u32) -> f32 {
  var total = 0.0;
  for (var i = 0u; i < ${group.perHead}u; i++) { total += partial[head * ${group.perHead}u + i]; }
  return total;
}
fn finish(row: u32, head: u32, part: u32, quad: u32, value: vec4<f32>, total: f32) {
  if (step.splits > 1u) {
    parts[((row * shape.heads + head) * step.splits + part) * (shape.value_quads + 1u) + quad] = value;
    return;
  }
  ${storeQuad(kv.valueWidth, "value / total")}
}
`;
}

/** The sum begins with e^sink, in the first part alone. */
const startFromSink = `if (wg.z == 0u && my_head < heads_here) {
    m = max(sinks[head0 + my_head], ${lowest});
    l = select(0.0, 1.0, my_place == 0u);
  }`;

/**
 * weight[head, t] = the score of position tile + t: each thread reads one key for all heads.
 * `score` is given its zeros: Dawn 0.6.2 lets an array declared in a loop keep the values of the turn before.
 */
function scoreCode(kernel: RowsKernel): string {
  const { op, kv, group, buffers } = kernel;
  const quad = kvQuad(kv.type, buffers.shapes.features);
  const isSeen = op.window === undefined ? "p < end" : "p < end && p >= first_seen";
  return `    let p = tile + t;
    let key = base + (cell + min(t, end - 1u - tile)) * shape.stride;
    var score = array<f32, ${group.heads}>();
    for (var i = 0u; i < shape.quads; i++) {
      let k = ${quad.at("keys", "key + i")};
      ${eachHead(kernel, (h) => `score[${h}] += dot(query[${h} * shape.quads + i], k);`)}
    }
    ${eachHead(kernel, (h) => `weight[${h} * 64u + t] = select(${lowest}, ${cappedScore(op, `score[${h}]`)}, ${isSeen});`)}`;
}

/** Weights from scores, by head; their maximum and sum so far stay with the head's threads. */
function softmaxCode({ group, buffers }: RowsKernel): string {
  const { heads, perHead } = group;
  return `    var top = ${lowest};
    if (my_head < ${heads}u) {
      for (var i = my_place; i < 64u; i += ${perHead}u) { top = max(top, weight[my_head * 64u + i]); }
    }
${largestCode(perHead, buffers.shapes.features)}
    let m_new = max(m, top);
    let change = exp(m - m_new);
    m = m_new;
    l *= change;
    if (my_head < ${heads}u) {
      for (var i = my_place; i < min(64u, end - tile); i += ${perHead}u) {
        let e = exp(weight[my_head * 64u + i] - m);
        weight[my_head * 64u + i] = e;
        l += e;
      }
      if (my_place == 0u) { shrink[my_head] = change; }
    }`;
}

/** acc = acc·shrink + Σ weight·value: a thread owns a quad and every owners-th position. */
function valueCode(kernel: RowsKernel): string {
  const { op, kv, buffers } = kernel;
  const quads = headStride(kv.valueWidth) / 4;
  const owners = Math.max(1, Math.floor(laneThreads / quads));
  const quad = kvQuad(kv.type, buffers.shapes.features);
  const own = ownQuads(kv);
  const add = own.map((a) => {
    const inside = own.length > 1 ? `if (own + ${a * 64}u < ${quads}u) ` : "";
    return `${inside}{
          let v = ${quad.at("values", `value + ${a * 64}u`)};
          ${eachHead(kernel, (h) => `acc${a}[${h}] += weight[${h} * 64u + i] * v;`)}
        }`;
  });
  return `    ${eachHead(kernel, (h) => own.map((a) => `acc${a}[${h}] *= shrink[${h}];`).join(" "))}
    let count = min(64u, end - tile);
    if (owner < ${owners}u) {
      for (var i = owner; i < count; i += ${owners}u) {
        ${op.window === undefined ? "" : "if (tile + i < first_seen) { continue; }"}
        let value = value_base + (cell + i) * shape.value_stride + own;
        ${add.join("\n        ")}
      }
    }`;
}

/** Adds the sums of the threads that own the same quad of head h and hands them to `finish`. */
function joinOwners(a: number, h: string, { valueWidth }: KvCells): string {
  const quads = headStride(valueWidth) / 4;
  const owners = Math.max(1, Math.floor(laneThreads / quads));
  const index = quads > 64 ? `(t + ${a * 64}u)` : "t";
  return `joined[t] = acc${a}[${h}];
  workgroupBarrier();
  if (${index} < ${quads}u && ${h} < heads_here) {
    var value = joined[t];
    for (var i = 1u; i < ${owners}u; i++) { value += joined[t + i * ${quads}u]; }
    finish(row, head0 + ${h}, wg.z, ${index}, value, total_of(${h}));
  }
  workgroupBarrier();`;
}

/** out = Σ e^(m − M)·acc / Σ e^(m − M)·l over the parts. */
export function attentionJoin(
  op: OpOf<"attention">,
  kv: KvCells,
  buffers: AttentionBuffers,
): KernelCall {
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
  let first = (row * shape.heads + head) * step.splits * (shape.value_quads + 1u);
  var m = ${lowest};
  for (var s = 0u; s < step.splits; s++) { m = max(m, parts[first + s * (shape.value_quads + 1u) + shape.value_quads].x); }
  for (var quad = t; quad < shape.value_quads; quad += 64u) {
    var total = 0.0;
    var sum = vec4<f32>();
    for (var s = 0u; s < step.splits; s++) {
      let at = first + s * (shape.value_quads + 1u);
      let ml = parts[at + shape.value_quads];
      let factor = exp(ml.x - m);
      total += factor * ml.y;
      sum += factor * parts[at + quad];
    }
    ${storeQuad(kv.valueWidth, "sum / total")}
  }
}
`,
  });
}
