/**
 * Attention of many rows (prefill): one workgroup for (head, tile of rows); keys and values pass by 32 positions at
 * a time, so that no rows × context matrix exists (FlashAttention 2205.14135, without the backward pass).
 * Rows of one tile may belong to several sequences: each run of equal sequence is done in turn.
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

const positions = 32;

/** Rows of a tile: queries of 128 elements · 16 rows · 4 B are 8 KiB of the guaranteed 16; longer keys get fewer. */
export function tileRows(keyWidth: number): number {
  if (keyWidth <= 128) return 16;
  return keyWidth <= 384 ? 8 : 4;
}

export function attentionTiles(
  op: OpOf<"attention">,
  kv: KvCells,
  buffers: AttentionBuffers,
): KernelCall {
  const { shapes } = buffers;
  const quad = kvQuad(kv.type, shapes.features);
  const tile = tileOf(kv);
  const shape = { ...attentionShape(op, kv), items: tile.rowsOfThread, half: tile.rows / 2 };
  return kernelCall({
    label: "attention tiles",
    shape,
    features: shapes.features,
    attention: "tiles",
    bindings: [
      shapeBinding(shapes, shape),
      reads("step", stepType, buffers.step),
      reads("q", "array<f32>", buffers.q),
      reads("keys", quad.element, buffers.keys),
      reads("values", quad.element, buffers.values),
      writes("y", "array<f32>", buffers.out),
      ...sinkBindings(buffers),
    ],
    groups: [fixed(op.heads), { kind: "rows", per: tile.rows }, one],
    body: tilesBody({ op, kv, tile, buffers }),
  });
}

/** How 64 threads share a tile of rows. */
interface Tile {
  readonly rows: number;
  /** Of a key, and of a value. */
  readonly quads: number;
  readonly valueQuads: number;
  /** Softmax: threads of a row. */
  readonly perRow: number;
  /** Values: threads that own the same quads, each of every owners-th row; rows and quads of a thread. */
  readonly owners: number;
  readonly rowsOfThread: number;
  readonly quadsOfThread: number;
}

function tileOf({ keyWidth, valueWidth }: KvCells): Tile {
  const rows = tileRows(keyWidth);
  const valueQuads = headStride(valueWidth) / 4;
  const owners = Math.min(rows, Math.max(1, Math.floor(laneThreads / valueQuads)));
  return {
    rows,
    quads: headStride(keyWidth) / 4,
    valueQuads,
    perRow: laneThreads / rows,
    owners,
    rowsOfThread: Math.ceil(rows / owners),
    quadsOfThread: Math.ceil(valueQuads / laneThreads),
  };
}

interface TilesKernel {
  readonly op: OpOf<"attention">;
  readonly kv: KvCells;
  readonly tile: Tile;
  readonly buffers: AttentionBuffers;
}

/** Loops over the head are bounded by the uniform: drivers that unroll what is constant compile for seconds. */
function tilesBody(kernel: TilesKernel): string {
  const { op, kv, tile, buffers } = kernel;
  const { rows, quads, valueQuads, perRow, quadsOfThread } = tile;
  const thread = threadNumber(buffers.shapes.features);
  const own = [...Array(quadsOfThread).keys()];
  return /* wgsl */ `${capDeclaration(op)}
var<workgroup> query: array<vec4<f32>, ${rows * quads}>;
var<workgroup> weight: array<f32, ${rows * positions}>;
var<workgroup> partial: array<f32, 64>;
var<workgroup> shrink: array<f32, ${rows}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, ${thread.parameters}) {
  ${thread.code}
  let head = wg.x;
  let row0 = wg.y * ${rows}u;
  let count = min(${rows}u, step.rows - row0);
  for (var i = t; i < ${rows}u * shape.quads; i += 64u) {
    let q_at = (row0 + min(i / shape.quads, count - 1u)) * shape.q_stride + head * ${kv.keyWidth}u;
    ${loadQuery(kv.keyWidth, op.scale, "query[i]", "(i % shape.quads)")}
  }
  let own = t % shape.value_quads;
  let owner = t / shape.value_quads;
  let my_row = t / ${perRow}u;
  let my_place = t % ${perRow}u;
  // The sum begins with e^sink where there is one.
  var m = ${buffers.sinks === undefined ? lowest : `max(sinks[head], ${lowest})`};
  var l = ${buffers.sinks === undefined ? "0.0" : "select(0.0, 1.0, my_place == 0u)"};
  ${own.map((a) => `var acc${a}: array<vec4<f32>, ${tile.rowsOfThread}>;`).join(" ")}
  var run_begin = 0u;
  while (run_begin < count) {
    let sequence = step.row[row0 + run_begin].x;
    var run_end = run_begin + 1u;
    while (run_end < count && step.row[row0 + run_end].x == sequence) { run_end++; }
    // Rows of a sequence stand in rising order of position: the last one sees most.
    let length = step.row[row0 + run_end - 1u].y + 1u;
    let run_first = ${firstSeenCode(op, "step.row[row0 + run_begin].y")};
${runBody(kernel)}
    run_begin = run_end;
  }
  partial[t] = l;
  workgroupBarrier();
  if (owner < ${tile.owners}u) {
    ${own.map((a) => eachRow(kernel, (i) => `finish(row0, count, head, owner + ${i} * ${tile.owners}u, own + ${a * 64}u, acc${a}[${i}]);`)).join("\n    ")}
  }
}
fn finish(row0: u32, count: u32, head: u32, tile_row: u32, quad: u32, value: vec4<f32>) {
  if (tile_row >= count || quad >= ${valueQuads}u) { return; }
  var total = 0.0;
  for (var i = 0u; i < ${perRow}u; i++) { total += partial[tile_row * ${perRow}u + i]; }
  let row = row0 + tile_row;
  ${storeQuad(kv.valueWidth, "value / total")}
}
`;
}

function eachRow({ buffers, tile }: TilesKernel, body: (i: string) => string): string {
  return repeat(buffers.shapes, { index: "i", field: "items", count: tile.rowsOfThread }, body);
}

/** The context of one run of rows, 32 positions at a time: scores, running softmax, weighted values. */
function runBody(kernel: TilesKernel): string {
  return /* wgsl */ `
    let kv_head = head * shape.kv_heads / shape.heads;
    let base = sequence * shape.cells * shape.stride + kv_head * shape.quads;
    let value_base = sequence * shape.cells * shape.value_stride + kv_head * shape.value_quads;
    for (var p0 = run_first - run_first % ${positions}u; p0 < length; p0 += ${positions}u) {
      let cell = ${cellCode(kernel.op, "p0")};
      workgroupBarrier();
${scoreCode(kernel)}
      workgroupBarrier();
${softmaxCode(kernel)}
      workgroupBarrier();
${valueCode(kernel)}
    }`;
}

/**
 * weight[row, position] = score; a thread has one position and half of the rows.
 * `score` is given its zeros: Dawn 0.6.2 lets an array declared in a loop keep the values of the turn before.
 */
function scoreCode({ op, kv, tile, buffers }: TilesKernel): string {
  const half = tile.rows / 2;
  const eachOfHalf = (body: (r: string) => string): string =>
    repeat(buffers.shapes, { index: "r", field: "half", count: half }, body);
  return /* wgsl */ `
      let first = (t / ${positions}u) * ${half}u;
      let key = base + (cell + min(t % ${positions}u, length - 1u - p0)) * shape.stride;
      var score = array<f32, ${half}>();
      for (var i = 0u; i < shape.quads; i++) {
        let k = ${kvQuad(kv.type, buffers.shapes.features).at("keys", "key + i")};
        ${eachOfHalf((r) => `score[${r}] += dot(query[(first + ${r}) * shape.quads + i], k);`)}
      }
      ${eachOfHalf((r) => `weight[(first + ${r}) * ${positions}u + t % ${positions}u] = ${cappedScore(op, `score[${r}]`)};`)}`;
}

/** Weights from scores, by row; 0 where the row does not see the position, or is of another sequence. */
function softmaxCode({ op, tile, buffers }: TilesKernel): string {
  const { perRow } = tile;
  const seesFrom = op.window === undefined ? "" : " && p0 + i >= my_first";
  return /* wgsl */ `
      let is_ours = my_row >= run_begin && my_row < run_end;
      let my_position = step.row[row0 + min(my_row, count - 1u)].y;
      let my_first = ${firstSeenCode(op, "my_position")};
      let seen = select(0u, my_position + 1u, is_ours);
      let stop = select(0u, min(seen - p0, ${positions}u), seen > p0);
      var top = ${lowest};
      for (var i = my_place; i < stop; i += ${perRow}u) {
        ${op.window === undefined ? "" : "if (p0 + i < my_first) { continue; }"}
        top = max(top, weight[my_row * ${positions}u + i]);
      }
${largestCode(perRow, buffers.shapes.features)}
      let m_new = max(m, top);
      let change = exp(m - m_new);
      m = m_new;
      l *= change;
      for (var i = my_place; i < ${positions}u; i += ${perRow}u) {
        var e = 0.0;
        if (i < stop${seesFrom}) { e = exp(weight[my_row * ${positions}u + i] - m); }
        weight[my_row * ${positions}u + i] = e;
        l += e;
      }
      if (my_place == 0u) { shrink[my_row] = change; }`;
}

/** acc = acc·shrink + Σ weight·value: a value is read once for all rows of the thread. */
function valueCode(kernel: TilesKernel): string {
  const { op, kv, tile, buffers } = kernel;
  const { owners, valueQuads, quadsOfThread } = tile;
  const from = op.window === undefined ? "0u" : "select(0u, run_first - p0, run_first > p0)";
  const own = [...Array(quadsOfThread).keys()];
  const row = (i: string): string => `min(owner + ${i} * ${owners}u, ${tile.rows - 1}u)`;
  const quad = kvQuad(kv.type, buffers.shapes.features);
  const inside = (a: number): string =>
    quadsOfThread > 1 ? `if (own + ${a * 64}u < ${valueQuads}u) ` : "";
  return /* wgsl */ `
      if (owner < ${owners}u) {
        ${own.map((a) => eachRow(kernel, (i) => `acc${a}[${i}] *= shrink[${row(i)}];`)).join("\n        ")}
        for (var j = ${from}; j < min(${positions}u, length - p0); j++) {
          let value = value_base + (cell + j) * shape.value_stride + own;
          ${own
            .map(
              (a) => `${inside(a)}{
            let v = ${quad.at("values", `value + ${a * 64}u`)};
            ${eachRow(kernel, (i) => `acc${a}[${i}] += weight[${row(i)} * ${positions}u + j] * v;`)}
          }`,
            )
            .join("\n          ")}
        }
      }`;
}
