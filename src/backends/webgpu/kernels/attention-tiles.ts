/**
 * Attention of many rows (prefill): one workgroup for (head, tile of rows); keys and values pass by 32 positions at
 * a time, so that no rows × context matrix exists (FlashAttention 2205.14135, without the backward pass).
 * Rows of one tile may belong to several sequences: each run of equal sequence is done in turn.
 */
import type { KvShape } from "../../../ops/program.ts";
import {
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  shapeBinding,
  stepType,
  writes,
} from "../kernel.ts";
import {
  type AttentionBuffers,
  type AttentionOp,
  attentionShape,
  loadQuery,
  storeQuad,
} from "./attention.ts";
import { headStride, kvQuad } from "./kv.ts";

const positions = 32;
const lowest = "-1e30";

/** Rows of a tile: queries of 128 elements · 16 rows · 4 B are 8 KiB of the guaranteed 16; longer heads get fewer. */
export function tileRows(headDim: number): number {
  return headDim <= 128 ? 16 : 8;
}

export function attentionTiles(
  op: AttentionOp,
  kv: KvShape,
  buffers: AttentionBuffers,
): KernelCall {
  const quad = kvQuad(kv.type);
  const quads = headStride(kv.headDim) / 4;
  const items = Math.ceil((tileRows(kv.headDim) * quads) / 64);
  const shape = { ...attentionShape(op, kv), items };
  return kernelCall({
    label: "attention tiles",
    shape,
    attention: "tiles",
    bindings: [
      shapeBinding(buffers.shapes, shape),
      reads("step", stepType, buffers.step),
      reads("q", "array<f32>", buffers.q),
      reads("keys", quad.element, buffers.keys),
      reads("values", quad.element, buffers.values),
      writes("y", "array<f32>", buffers.out),
    ],
    groups: [fixed(op.heads), { kind: "rows", per: tileRows(kv.headDim) }, one],
    body: tilesBody(op, kv),
  });
}

/** Loops over the head are bounded by the uniform: drivers that unroll what is constant compile for seconds. */
function tilesBody(op: AttentionOp, kv: KvShape): string {
  const quads = headStride(kv.headDim) / 4;
  const rows = tileRows(kv.headDim);
  const items = Math.ceil((rows * quads) / 64);
  return /* wgsl */ `
var<workgroup> query: array<vec4<f32>, ${rows * quads}>;
var<workgroup> weight: array<f32, ${rows * positions}>;
var<workgroup> visible: array<u32, ${rows}>;
var<workgroup> m: array<f32, ${rows}>;
var<workgroup> l: array<f32, ${rows}>;
var<workgroup> shrink: array<f32, ${rows}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let head = wg.x;
  let row0 = wg.y * ${rows}u;
  let count = min(${rows}u, step.rows - row0);
  for (var i = t; i < ${rows}u * shape.quads; i += 64u) {
    let q_at = (row0 + min(i / shape.quads, count - 1u)) * shape.q_stride + head * ${kv.headDim}u;
    ${loadQuery(kv.headDim, op.scale, "query[i]", "(i % shape.quads)")}
  }
  if (t < ${rows}u) { m[t] = ${lowest}; l[t] = 0.0; }
  var acc: array<vec4<f32>, ${items}>;
  var run_begin = 0u;
  while (run_begin < count) {
    let sequence = step.row[row0 + run_begin].x;
    var run_end = run_begin + 1u;
    while (run_end < count && step.row[row0 + run_end].x == sequence) { run_end++; }
    // Rows of a sequence stand in rising order of position: the last one sees most.
    let length = step.row[row0 + run_end - 1u].y + 1u;
${runBody(kv, rows)}
    run_begin = run_end;
  }
  for (var i = 0u; i < shape.items; i++) { finish(row0, count, head, t + i * 64u, acc[i]); }
}
fn finish(row0: u32, count: u32, head: u32, item: u32, value: vec4<f32>) {
  let tile_row = item / shape.quads;
  let quad = item % shape.quads;
  if (tile_row >= count) { return; }
  let row = row0 + tile_row;
  ${storeQuad(kv.headDim, "value / l[tile_row]")}
}
`;
}

/**
 * The context of one run of rows, 32 positions at a time: scores, running softmax, weighted values.
 * `score` is given its zeros: Dawn 0.6.2 lets an array declared in a loop keep the values of the turn before.
 */
function runBody(kv: KvShape, rows: number): string {
  const quad = kvQuad(kv.type);
  const half = rows / 2;
  return /* wgsl */ `
    let base = sequence * shape.context * shape.stride + (head * shape.kv_heads / shape.heads) * shape.quads;
    for (var p0 = 0u; p0 < length; p0 += ${positions}u) {
      workgroupBarrier();
      let first = (t / ${positions}u) * ${half}u;
      let key = base + min(p0 + t % ${positions}u, length - 1u) * shape.stride;
      var score = array<f32, ${half}>();
      for (var i = 0u; i < shape.quads; i++) {
        let k = ${quad.decode("keys[key + i]")};
        for (var r = 0u; r < ${half}u; r++) { score[r] += dot(query[(first + r) * shape.quads + i], k); }
      }
      for (var r = 0u; r < ${half}u; r++) { weight[(first + r) * ${positions}u + t % ${positions}u] = score[r]; }
      workgroupBarrier();
      if (t < ${rows}u) {
        let is_ours = t >= run_begin && t < run_end;
        let seen = select(0u, step.row[row0 + min(t, count - 1u)].y + 1u, is_ours);
        let stop = select(0u, min(seen - p0, ${positions}u), seen > p0);
        visible[t] = stop;
        var m_new = m[t];
        for (var i = 0u; i < stop; i++) { m_new = max(m_new, weight[t * ${positions}u + i]); }
        shrink[t] = exp(m[t] - m_new);
        m[t] = m_new;
        var sum = 0.0;
        for (var i = 0u; i < stop; i++) {
          let e = exp(weight[t * ${positions}u + i] - m_new);
          weight[t * ${positions}u + i] = e;
          sum += e;
        }
        l[t] = l[t] * shrink[t] + sum;
      }
      workgroupBarrier();
      for (var i = 0u; i < shape.items; i++) {
        let item = t + i * 64u;
        let tile_row = min(item / shape.quads, ${rows - 1}u);
        let value = base + p0 * shape.stride + item % shape.quads;
        var sum = acc[i] * shrink[tile_row];
        for (var j = 0u; j < visible[tile_row]; j++) {
          sum += weight[tile_row * ${positions}u + j] * ${quad.decode("values[value + j * shape.stride]")};
        }
        acc[i] = sum;
      }
    }`;
}
