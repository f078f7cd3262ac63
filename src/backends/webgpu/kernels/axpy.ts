/**
 * y [m, dim] = h [m, neurons] @ W [neurons, dim], a neuron being a row of W (ffn_down_t): over all neurons or over
 * the active ones only. A workgroup of 64 threads owns a few units of the columns, 64 or 128 neighbouring bytes of every row,
 * and one part of the list; its lanes share out the neurons of the part, and a whole neuron is the work of one step: the
 * list has no others. Sums meet in workgroup memory, then those of the parts in join-parts.ts, both in a fixed order, so
 * every result is written once: no atomic adds.
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
  type ShapeFields,
  type ShapeStore,
  shapeBinding,
  slotStride,
  writes,
} from "../kernel.ts";
import { type ActiveList, activeNeuron, activeRange, activeShape } from "./active-list.ts";
import { type WeightCode, weightCode } from "./decode.ts";
import { type Epilogue, epilogueBindings, epilogueCode, epilogueShape } from "./epilogue.ts";
import { productWork, type WeightPiece } from "./gemv.ts";
import type { PartialSums } from "./join-parts.ts";

const threads = 64;
/** Units in a line of 128 bytes of the card's cache, which neighbouring threads read together. */
const lineUnits = 8;

export interface Axpy {
  readonly label: string;
  readonly hidden: BufferSpec;
  readonly neurons: number;
  readonly piece: WeightPiece;
  /** Absent: all neurons. */
  readonly active?: ActiveList;
  /** Sums of parts, or the result at once. */
  readonly into: AxpyParts | { readonly epilogue: Epilogue };
  readonly shapes: ShapeStore;
  readonly of: "rows" | "outputs";
  readonly when?: Condition;
}

/** This piece's parts are [first, first + count) of all. */
export interface AxpyParts {
  readonly sums: PartialSums;
  readonly first: number;
  readonly count: number;
}

export function axpy(of: Axpy): KernelCall {
  const { label, hidden, neurons, piece, active, into, shapes } = of;
  const code = weightCode(piece.type, piece.columns, shapes.features);
  const grid = axpyGrid(piece, shapes);
  const lists =
    active === undefined
      ? []
      : [reads("list", "array<u32>", active.list), reads("lengths", "array<u32>", active.lengths)];
  const parts = "sums" in into ? into.count : 1;
  const shape = {
    ...code.shape,
    columns: piece.columns,
    group_units: threads / grid.lanes,
    first_row: piece.firstRow,
    end_row: piece.firstRow + piece.rows,
    h_stride: slotStride(neurons),
    parts,
    ...(active === undefined ? {} : activeShape(active)),
    ...("sums" in into ? partShape(into) : epilogueShape(into.epilogue)),
  };
  return kernelCall({
    label,
    shape,
    features: shapes.features,
    bindings: [
      shapeBinding(shapes, shape),
      reads("w", "array<vec4<u32>>", piece.buffer),
      reads("h", "array<f32>", hidden),
      ...lists,
      ...("sums" in into
        ? [writes("partial", "array<f32>", into.sums.buffer)]
        : epilogueBindings(into.epilogue)),
    ],
    groups: [fixed(grid.columnGroups), { kind: of.of, per: 1 }, fixed(parts)],
    ...(of.when && { when: of.when }),
    work: { ...productWork(of, 1), ...(active && { isListed: true }) },
    body: `${code.functions}${"sums" in into ? partStore : epilogueCode(into.epilogue)}${axpyBody(of, code)}`,
  });
}

/** How one row's sum over a piece of the weight is shared out. */
export interface AxpyGrid {
  /** Workgroups that share out the columns, and parts that share out the neurons. */
  readonly columnGroups: number;
  readonly parts: number;
  /** Neurons that a workgroup works on at once. */
  readonly lanes: number;
}

export function axpyGrid({ type, columns, rows }: WeightPiece, shapes: ShapeStore): AxpyGrid {
  const { units } = weightCode(type, columns, shapes.features);
  const wide = groupUnits(units);
  const columnGroups = Math.ceil(units / wide);
  const parts = partsToFill({ groups: columnGroups, items: rows });
  return { columnGroups, parts, lanes: threads / wide };
}

/** Units of a row that a workgroup owns: a line of the cache, or half of one where rows are so short that few groups are. */
function groupUnits(units: number): number {
  const isShort = units < 16 * lineUnits;
  const covering = 2 ** Math.ceil(Math.log2(units));
  return Math.min(isShort ? lineUnits / 2 : lineUnits, covering);
}

export function partShape({ sums, first }: AxpyParts): ShapeFields {
  return { first_part: first, all_parts: sums.parts, part_stride: slotStride(sums.dim) };
}

export const partStore = /* wgsl */ `
fn store_part(c: u32, m: u32, part: u32, sum: f32) {
  partial[(m * shape.all_parts + shape.first_part + part) * shape.part_stride + c] = sum;
}
`;

function axpyBody(of: Axpy, code: WeightCode): string {
  const { active, piece, neurons, shapes, into } = of;
  const eachQuad = (body: (q: string) => string): string =>
    repeat(shapes, { index: "q", field: "quads", count: code.quads }, body);
  const range = activeRange(active, { piece, neurons });
  const neuron = active === undefined ? "i" : activeNeuron("m", "i");
  const store = "sums" in into ? "store_part(c + i, m, wg.z, sum[i])" : "store(c + i, m, sum[i])";
  return /* wgsl */ `${range.functions}
var<workgroup> rows_at: array<u32, ${threads}>;
var<workgroup> factors: array<f32, ${threads}>;
var<workgroup> sums: array<vec4<f32>, ${threads * code.quads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m = wg.y;
  let u = wg.x * shape.group_units + t % shape.group_units;
  let lane = t / shape.group_units;
  let lanes = ${threads}u / shape.group_units;
  let range = ${range.code("m")};
  let share = (range.y - range.x + shape.parts - 1u) / shape.parts;
  let begin = min(range.x + wg.z * share, range.y);
  let end = min(begin + share, range.y);
  var own: array<vec4<f32>, ${code.quads}>;
  for (var base = begin; base < end; base += ${threads}u) {
    // Rows and factors first, so that no read of a weight waits for them.
    let i = base + t;
    if (i < end) {
      let n = ${neuron};
      rows_at[t] = (n - shape.first_row) * shape.row_vec;
      factors[t] = h[m * shape.h_stride + n];
    }
    workgroupBarrier();
    let here = min(${threads}u, end - base);
    if (u < shape.units) {
      for (var j = lane; j < here; j += lanes) {
        var d = decode(rows_at[j], u);
        let a = factors[j];
        ${eachQuad((q) => `own[${q}] += a * d[${q}];`)}
      }
    }
    workgroupBarrier();
  }
  ${eachQuad((q) => `sums[${q} * ${threads}u + t] = own[${q}];`)}
  workgroupBarrier();
  for (var o = t; o < shape.group_units * ${code.quads}u; o += ${threads}u) {
    let unit = o % shape.group_units;
    let q = o / shape.group_units;
    var sum = vec4<f32>();
    for (var l = 0u; l < lanes; l++) { sum += sums[q * ${threads}u + l * shape.group_units + unit]; }
    let at = wg.x * shape.group_units + unit;
    if (at >= shape.units) { continue; }
    let c = 4u * quad_at(at, q);
    for (var i = 0u; i < 4u; i++) { if (c + i < shape.columns) { ${store}; } }
  }
}
`;
}
