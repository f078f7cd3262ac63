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
  slotStride,
  stepType,
  writes,
} from "../kernel.ts";
import { type AttentionBuffers, type AttentionOp, loadQuery, storeQuad } from "./attention.ts";
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
  return kernelCall({
    label: "attention tiles",
    attention: "tiles",
    bindings: [
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

function tilesBody(op: AttentionOp, kv: KvShape): string {
  const quads = headStride(kv.headDim) / 4;
  const rows = tileRows(kv.headDim);
  const items = [...Array(Math.ceil((rows * quads) / 64)).keys()];
  return /* wgsl */ `
var<workgroup> query: array<vec4<f32>, ${rows * quads}>;
var<workgroup> weight: array<f32, ${rows * positions}>;
var<workgroup> m: array<f32, ${rows}>;
var<workgroup> l: array<f32, ${rows}>;
var<workgroup> shrink: array<f32, ${rows}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let head = wg.x;
  let row0 = wg.y * ${rows}u;
  let count = min(${rows}u, step.rows - row0);
  for (var i = t; i < ${rows * quads}u; i += 64u) {
    let q_at = (row0 + min(i / ${quads}u, count - 1u)) * ${slotStride(op.q.width)}u + head * ${kv.headDim}u;
    ${loadQuery(kv.headDim, op.scale, "query[i]", `(i % ${quads}u)`)}
  }
  if (t < ${rows}u) { m[t] = ${lowest}; l[t] = 0.0; }
  ${items.map((i) => `var acc${i} = vec4<f32>();`).join(" ")}
  var run_begin = 0u;
  while (run_begin < count) {
    let sequence = step.row[row0 + run_begin].x;
    var run_end = run_begin + 1u;
    while (run_end < count && step.row[row0 + run_end].x == sequence) { run_end++; }
    // Rows of a sequence stand in rising order of position: the last one sees most.
    let length = step.row[row0 + run_end - 1u].y + 1u;
${runBody(op, kv, items)}
    run_begin = run_end;
  }
  ${items.map((i) => `finish(row0, count, head, t + ${i * 64}u, acc${i});`).join("\n  ")}
}
fn finish(row0: u32, count: u32, head: u32, item: u32, value: vec4<f32>) {
  let tile_row = item / ${quads}u;
  let quad = item % ${quads}u;
  if (tile_row >= count) { return; }
  let row = row0 + tile_row;
  ${storeQuad(op, kv.headDim, "value / l[tile_row]")}
}
`;
}

/** The context of one run of rows, 32 positions at a time: scores, running softmax, weighted values. */
function runBody(op: AttentionOp, kv: KvShape, items: readonly number[]): string {
  const quads = headStride(kv.headDim) / 4;
  const rows = tileRows(kv.headDim);
  const quad = kvQuad(kv.type);
  const halfRows = [...Array(rows / 2).keys()];
  return /* wgsl */ `
    let stride = ${kv.kvHeads * quads}u;
    let base = sequence * ${kv.contextLength}u * stride + (head * ${kv.kvHeads}u / ${op.heads}u) * ${quads}u;
    for (var p0 = 0u; p0 < length; p0 += ${positions}u) {
      workgroupBarrier();
      let p = p0 + t % ${positions}u;
      let first = (t / ${positions}u) * ${rows / 2}u;
      ${halfRows.map((r) => `var s${r} = 0.0;`).join(" ")}
      let key = base + min(p, length - 1u) * stride;
      for (var i = 0u; i < ${quads}u; i++) {
        let k = ${quad.decode("keys[key + i]")};
        ${halfRows.map((r) => `s${r} += dot(query[(first + ${r}u) * ${quads}u + i], k);`).join("\n        ")}
      }
      ${halfRows.map((r) => `weight[(first + ${r}u) * ${positions}u + t % ${positions}u] = s${r};`).join("\n      ")}
      workgroupBarrier();
      if (t < ${rows}u) {
        shrink[t] = 1.0;
        let seen = select(0u, step.row[row0 + min(t, count - 1u)].y + 1u, t >= run_begin && t < run_end);
        let visible = select(0u, min(seen - p0, ${positions}u), seen > p0);
        var m_new = m[t];
        for (var i = 0u; i < visible; i++) { m_new = max(m_new, weight[t * ${positions}u + i]); }
        shrink[t] = exp(m[t] - m_new);
        m[t] = m_new;
        var sum = 0.0;
        for (var i = 0u; i < ${positions}u; i++) {
          let e = select(0.0, exp(weight[t * ${positions}u + i] - m_new), i < visible);
          weight[t * ${positions}u + i] = e;
          sum += e;
        }
        l[t] = l[t] * shrink[t] + sum;
      }
      workgroupBarrier();
      let stop = min(${positions}u, length - p0);
      ${items.map((i) => itemBody(i, { quads, rows, decode: quad.decode })).join("\n      ")}
    }`;
}

function itemBody(
  i: number,
  shape: { readonly quads: number; readonly rows: number; readonly decode: (e: string) => string },
): string {
  const { quads, rows, decode } = shape;
  return `{
        let tile_row = min((t + ${i * 64}u) / ${quads}u, ${rows - 1}u);
        let value = base + p0 * stride + (t + ${i * 64}u) % ${quads}u;
        acc${i} *= shrink[tile_row];
        for (var j = 0u; j < stop; j++) { acc${i} += weight[tile_row * ${positions}u + j] * ${decode("values[value + j * stride]")}; }
      }`;
}
