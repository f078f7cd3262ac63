/**
 * Like axpy.ts for several rows of the step: y [m, dim] = h [m, neurons] @ W [neurons, dim], W being read once for a tile
 * of 8, 16 or 32 rows that share a list. A workgroup owns 128 columns (32 quads) and one part of the list, 16 neurons at a time:
 * their weights, decoded, and their h pass through workgroup memory; a thread owns one quad in a quarter of the rows. h is 0
 * where a neuron is not active in a row. The parts meet in join-parts.ts, in a fixed order.
 */
import { partsToFill } from "../fill.ts";
import {
  type BufferSpec,
  type Condition,
  fixed,
  type KernelCall,
  kernelCall,
  reads,
  repeat,
  type ShapeStore,
  shapeBinding,
  slotStride,
  stepType,
  writes,
} from "../kernel.ts";
import {
  type ActiveList,
  activeNeuron,
  activeRange,
  activeRows,
  activeShape,
} from "./active-list.ts";
import { type AxpyParts, partShape, partStore } from "./axpy.ts";
import { type WeightCode, weightCode } from "./decode.ts";
import { productWork, type WeightPiece } from "./gemv.ts";

const threads = 128;
const tileQuads = 32;
/** Threads that share the rows of a quad of columns. */
const rowGroups = threads / tileQuads;
/** (16 · 33 · 16 + 16 · 32 · 4) bytes are 10.3 KiB of the guaranteed 16. */
const tileNeurons = 16;
const maxTileRows = 32;

export interface AxpyTiles {
  readonly label: string;
  readonly hidden: BufferSpec;
  readonly neurons: number;
  readonly piece: WeightPiece;
  /** Absent: all neurons. */
  readonly active?: ActiveList;
  readonly tileRows: 8 | 16 | 32;
  readonly into: AxpyParts;
  readonly step: BufferSpec;
  readonly shapes: ShapeStore;
  readonly when: Condition;
}

/** Parts of the sum for steps of `tiles` tiles of rows; a group has twice the threads that fill.ts counts. */
export function axpyTileParts(
  { type, columns, rows }: WeightPiece,
  tiles: number,
  shapes: ShapeStore,
): number {
  const groups = columnGroups(weightCode(type, columns, shapes.features));
  return partsToFill({ groups: 2 * groups * tiles, items: rows });
}

function columnGroups({ units, quads }: WeightCode): number {
  return Math.ceil(units / (tileQuads / quads));
}

export function axpyTiles(of: AxpyTiles): KernelCall {
  const { label, hidden, neurons, piece, active, into, shapes, tileRows, when } = of;
  const code = weightCode(piece.type, piece.columns, shapes.features);
  const shape = {
    ...code.shape,
    columns: piece.columns,
    first_row: piece.firstRow,
    end_row: piece.firstRow + piece.rows,
    h_stride: slotStride(neurons),
    parts: into.count,
    tile_rows: tileRows,
    thread_rows: tileRows / rowGroups,
    ...(active === undefined ? {} : activeShape(active)),
    ...partShape(into),
  };
  const lists =
    active === undefined
      ? [reads("step", stepType, of.step)]
      : [reads("list", "array<u32>", active.list), reads("lengths", "array<u32>", active.lengths)];
  return kernelCall({
    label,
    shape,
    features: shapes.features,
    bindings: [
      shapeBinding(shapes, shape),
      reads("w", "array<vec4<u32>>", piece.buffer),
      reads("h", "array<f32>", hidden),
      ...lists,
      writes("partial", "array<f32>", into.sums.buffer),
    ],
    groups: [fixed(columnGroups(code)), { kind: when.of, per: tileRows }, fixed(into.count)],
    when,
    work: { ...productWork(of, tileRows), ...(active && { isListed: true }) },
    body: `${code.functions}${partStore}${tilesBody(of, code)}`,
  });
}

function tilesBody(
  { active, piece, neurons, shapes, tileRows, when }: AxpyTiles,
  code: WeightCode,
): string {
  const rows = shapes.loops === "uniform" ? maxTileRows : tileRows;
  const perThread = rows / rowGroups;
  const eachQuad = (body: (q: string) => string): string =>
    repeat(shapes, { index: "q", field: "quads", count: code.quads }, body);
  const eachRow = (body: (r: string) => string): string =>
    repeat(shapes, { index: "r", field: "thread_rows", count: perThread }, body);
  const units = tileQuads / code.quads;
  const range = activeRange(active, { piece, neurons });
  const neuron = (i: string): string => (active === undefined ? i : activeNeuron("wg.y", i));
  const here =
    active === undefined ? `min(shape.tile_rows, step.${when.of} - m0)` : activeRows("wg.y");
  return /* wgsl */ `${range.functions}
var<workgroup> tile_w: array<vec4<f32>, ${tileNeurons * (tileQuads + 1)}>;
var<workgroup> tile_h: array<f32, ${tileNeurons * rows}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m0 = wg.y * shape.tile_rows;
  let rows_here = ${here};
  let u0 = wg.x * ${units}u;
  let range = ${range.code("wg.y")};
  let share = (range.y - range.x + shape.parts - 1u) / shape.parts;
  let begin = min(range.x + wg.z * share, range.y);
  let end = min(begin + share, range.y);
  let column = t % ${tileQuads}u;
  let first = t / ${tileQuads}u * shape.thread_rows;
  var sums: array<vec4<f32>, ${perThread}>;
  for (var base = begin; base < end; base += ${tileNeurons}u) {
    for (var i = t; i < ${tileNeurons * units}u; i += ${threads}u) {
      let j = base + i / ${units}u;
      let u = u0 + i % ${units}u;
      // Neurons behind the end count as 0, by their h; units behind the end of the row are not stored.
      let n = ${neuron("min(j, end - 1u)")};
      var d = decode((n - shape.first_row) * shape.row_vec, min(u, shape.units - 1u));
      let at = i / ${units}u * ${tileQuads + 1}u + i % ${units}u * ${code.quads}u;
      ${eachQuad((q) => `tile_w[at + ${q}] = d[${q}];`)}
    }
    for (var i = t; i < ${tileNeurons}u * shape.tile_rows; i += ${threads}u) {
      let j = base + i % ${tileNeurons}u;
      let m = i / ${tileNeurons}u;
      var value = 0.0;
      if (j < end && m < rows_here) { value = h[(m0 + m) * shape.h_stride + ${neuron("j")}]; }
      tile_h[i % ${tileNeurons}u * shape.tile_rows + m] = value;
    }
    workgroupBarrier();
    for (var k = 0u; k < ${tileNeurons}u; k++) {
      let v = tile_w[k * ${tileQuads + 1}u + column];
      let at = k * shape.tile_rows + first;
      ${eachRow((r) => `sums[${r}] += tile_h[at + ${r}] * v;`)}
    }
    workgroupBarrier();
  }
  let u = u0 + column / ${code.quads}u;
  if (u >= shape.units) { return; }
  let c = 4u * quad_at(u, column % ${code.quads}u);
  for (var r = 0u; r < shape.thread_rows; r++) {
    if (first + r >= rows_here) { return; }
    for (var i = 0u; i < 4u; i++) { if (c + i < shape.columns) { store_part(c + i, m0 + first + r, wg.z, sums[r][i]); } }
  }
}
`;
}
