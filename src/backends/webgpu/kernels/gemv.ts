/**
 * W [n, k] @ x [m, k] -> y [m, n] for few rows m: every weight is read once for up to four rows of the step.
 * A workgroup of 64 threads: `lanes` threads share a row of W, each decodes every lanes-th unit and keeps its sums
 * in registers; the lanes' sums meet in workgroup memory, always in the same order. No subgroup is assumed.
 */

import type { WeightType } from "../../../core/dtype.ts";
import {
  type Binding,
  type BufferSpec,
  type Condition,
  fixed,
  type KernelCall,
  kernelCall,
  loopEnd,
  one,
  reads,
  type ShapeFields,
  type ShapeStore,
  shapeBinding,
  slotStride,
  stepType,
} from "../kernel.ts";
import { weightCode } from "./decode.ts";
import { type Epilogue, epilogueBindings, epilogueCode, epilogueShape } from "./epilogue.ts";

const threads = 64;

export interface WeightPiece {
  readonly buffer: BufferSpec;
  readonly type: WeightType;
  readonly columns: number;
  /** Rows of the stacked weight that lie in this buffer. */
  readonly firstRow: number;
  readonly rows: number;
}

export interface Product {
  readonly label: string;
  readonly x: BufferSpec;
  readonly piece: WeightPiece;
  readonly epilogue: Epilogue;
  readonly step: BufferSpec;
  readonly shapes: ShapeStore;
  readonly of: "rows" | "outputs";
  readonly pairs?: Pairs;
}

/** Two weights in one pass: rows r and r + rows of the stack give one result. */
export interface Pairs {
  readonly rows: number;
  /** Declares `fn combine(r: u32, first: f32, second: f32) -> f32`. */
  readonly functions: string;
  readonly bindings: readonly Binding[];
}

/** Threads that share a row: about four units each, so that short rows leave no thread idle. */
export function lanesOf(units: number): number {
  let lanes = 4;
  while (lanes < threads && lanes * 8 <= units) lanes *= 2;
  return lanes;
}

export function gemv(
  product: Product,
  batch: { readonly rows: 1 | 4; readonly when: Condition },
): KernelCall {
  const { piece, epilogue, step, x, pairs } = product;
  const code = weightCode(piece.type, piece.columns);
  const lanes = lanesOf(code.units);
  const results = pairs?.rows ?? piece.rows;
  const perThread = pairs === undefined && batch.rows === 1 ? 4 : 2;
  const rows = perThread * (pairs === undefined ? 1 : 2);
  const shape = { ...productShape(product), lanes, rows };
  return kernelCall({
    label: `gemv ${product.label}`,
    shape,
    bindings: [
      shapeBinding(product.shapes, shape),
      reads("step", stepType, step),
      reads("w", "array<vec4<u32>>", piece.buffer),
      reads("x", "array<vec4<f32>>", x),
      ...epilogueBindings(epilogue),
      ...(pairs?.bindings ?? []),
    ],
    body: `${epilogueCode(epilogue)}${pairs?.functions ?? ""}${gemvBody(product, { perThread, batch: batch.rows })}`,
    groups: [
      fixed(Math.ceil(results / ((threads / lanes) * perThread))),
      { kind: product.of, per: batch.rows },
      one,
    ],
    when: batch.when,
  });
}

/** Uniform of a product: the weight's layout, its results, and where they go. */
export function productShape({ piece, epilogue, pairs }: Product): ShapeFields {
  return {
    ...weightCode(piece.type, piece.columns).shape,
    results: pairs?.rows ?? piece.rows,
    first_row: piece.firstRow,
    x_stride: slotStride(piece.columns) / 4,
    ...epilogueShape(epilogue),
  };
}

interface GemvShape {
  readonly perThread: number;
  readonly batch: 1 | 4;
}

/** Loops are left rolled: drivers unroll what pays, and software drivers compile a third of the code. */
function gemvBody(product: Product, { perThread, batch }: GemvShape): string {
  const { piece, pairs, of, shapes } = product;
  const { functions, quads } = weightCode(piece.type, piece.columns);
  const rows = perThread * (pairs === undefined ? 1 : 2);
  const quadEnd = loopEnd(shapes, "quads", quads);
  const rowEnd = loopEnd(shapes, "rows", rows);
  const type = batch === 1 ? "f32" : "vec4<f32>";
  const xs = [...Array(batch).keys()];
  const dots = xs.map((m) => `dot(d[q], x[x${m} + at])`).join(", ");
  const half = pairs === undefined ? "" : ` + select(0u, shape.results, k >= ${perThread}u)`;
  return /* wgsl */ `${functions}
var<workgroup> lane_sums: array<${type}, ${rows * threads}>;
fn sum_at(k: u32, group: u32) -> ${type} {
  let at = k * ${threads}u + group * shape.lanes;
  var sum = ${type}();
  for (var i = 0u; i < min(shape.lanes, 8u); i++) { sum += lane_sums[at + i]; }
  return sum;
}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let lane = t % shape.lanes;
  let per_group = ${threads * perThread}u / shape.lanes;
  let first = wg.x * per_group + (t / shape.lanes) * ${perThread}u;
  let m0 = wg.y * ${batch}u;
  let count = step.${of};
  ${xs.map((m) => `let x${m} = min(m0 + ${m}u, count - 1u) * shape.x_stride;`).join("\n  ")}
  var sums: array<${type}, ${rows}>;
  for (var u = lane; u < shape.units; u += shape.lanes) {
    for (var k = 0u; k < ${rowEnd}; k++) {
      var d = decode((min(first + k % ${perThread}u, shape.results - 1u)${half}) * shape.row_vec, u);
      for (var q = 0u; q < ${quadEnd}; q++) {
        let at = quad_at(u, q);
        sums[k] += ${batch === 1 ? dots : `vec4<f32>(${dots})`};
      }
    }
  }
  for (var k = 0u; k < ${rowEnd}; k++) { lane_sums[k * ${threads}u + t] = sums[k]; }
  workgroupBarrier();
  // The first eight lanes take over the sums of the others: lane l those of l + 8, l + 16, …
  if (lane < 8u && shape.lanes > 8u) {
    for (var k = 0u; k < ${rowEnd}; k++) {
      var sum = ${type}();
      for (var i = lane; i < shape.lanes; i += 8u) { sum += lane_sums[k * ${threads}u + t - lane + i]; }
      lane_sums[k * ${threads}u + t] = sum;
    }
  }
  workgroupBarrier();
  for (var i = t; i < per_group; i += ${threads}u) {
    let group = i / ${perThread}u;
    let k = i % ${perThread}u;
    let n = wg.x * per_group + i;
    if (n >= shape.results) { continue; }
    let r = n + shape.first_row;
    let a = sum_at(k, group);
    ${pairs === undefined ? "" : `let b = sum_at(k + ${perThread}u, group);`}
    ${storeRows(batch, pairs !== undefined)}
  }
}
`;
}

function storeRows(batch: 1 | 4, isPaired: boolean): string {
  if (batch === 1) return `store(r, m0, ${isPaired ? "combine(r, a, b)" : "a"});`;
  const value = isPaired ? "combine(r, a[m], b[m])" : "a[m]";
  return `for (var m = 0u; m < min(4u, count - m0); m++) { store(r, m0 + m, ${value}); }`;
}
