/**
 * W [n, k] @ x [m, k] -> y [m, n] for few rows m: every weight is read once for up to four rows of the step.
 * A workgroup of 64 threads: `lanes` threads share a row of W, each decodes every lanes-th unit and keeps its sums
 * in registers, so that neighbours read neighbouring 16-byte words; lane-sums.ts joins them.
 */

import type { WeightType } from "../../../core/dtype.ts";
import {
  type Binding,
  type BufferSpec,
  type Condition,
  foldedGroups,
  groupNumber,
  type KernelCall,
  kernelCall,
  reads,
  repeat,
  type ShapeFields,
  type ShapeStore,
  shapeBinding,
  slotStride,
  stepType,
} from "../kernel.ts";
import { rowLayout } from "../weight-layout.ts";
import type { Work } from "../work.ts";
import { weightCode } from "./decode.ts";
import { type Epilogue, epilogueBindings, epilogueCode, epilogueShape } from "./epilogue.ts";
import { joinLanes, laneDeclarations, laneThreads, threadNumber } from "./lane-sums.ts";

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
  while (lanes < laneThreads && lanes * 8 <= units) lanes *= 2;
  return lanes;
}

export function gemv(
  product: Product,
  batch: { readonly rows: 1 | 4; readonly when: Condition },
): KernelCall {
  const { piece, epilogue, pairs } = product;
  const code = weightCode(piece.type, piece.columns, product.shapes.features);
  const lanes = lanesOf(code.units);
  const results = pairs?.rows ?? piece.rows;
  const perThread = pairs === undefined && batch.rows === 1 ? 4 : 2;
  const rows = perThread * (pairs === undefined ? 1 : 2);
  const shape = { ...productShape(product), lanes, rows };
  const [x, z] = foldedGroups(
    Math.ceil(results / ((laneThreads / lanes) * perThread)),
    product.shapes,
  );
  return kernelCall({
    label: `gemv ${product.label}`,
    shape,
    features: product.shapes.features,
    bindings: productBindings(product, shape),
    body: `${epilogueCode(epilogue)}${pairs?.functions ?? ""}${gemvBody(product, { perThread, batch: batch.rows })}`,
    groups: [x, { kind: product.of, per: batch.rows }, z],
    when: batch.when,
    work: productWork(product, batch.rows),
  });
}

/** A product reads its weight once for every `rows` rows. */
export function productWork({ piece }: Pick<Product, "piece">, rows: number): Work {
  const { gpuBytes } = rowLayout(piece.type, piece.columns);
  const stacked = piece.buffer.bytes / gpuBytes;
  return { bytes: piece.buffer.bytes, rows, products: Math.floor(stacked) * piece.columns };
}

/** What every kernel of a product binds; `shape` is its uniform. */
export function productBindings(product: Product, shape: ShapeFields): readonly Binding[] {
  return [
    shapeBinding(product.shapes, shape),
    reads("step", stepType, product.step),
    reads("w", "array<vec4<u32>>", product.piece.buffer),
    reads("x", "array<vec4<f32>>", product.x),
    ...epilogueBindings(product.epilogue),
    ...(product.pairs?.bindings ?? []),
  ];
}

/** Uniform of a product: the weight's layout, its results, and where they go. */
export function productShape({ piece, epilogue, pairs, shapes }: Product): ShapeFields {
  return {
    ...weightCode(piece.type, piece.columns, shapes.features).shape,
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

function gemvBody(product: Product, { perThread, batch }: GemvShape): string {
  const { piece, pairs, of, shapes } = product;
  const { functions, quads } = weightCode(piece.type, piece.columns, shapes.features);
  const rows = perThread * (pairs === undefined ? 1 : 2);
  const type = batch === 1 ? "f32" : "vec4<f32>";
  const xs = [...Array(batch).keys()];
  const dots = (q: string): string => {
    const each = xs.map((m) => `dot(d[${q}], x[x${m} + quad_at(u, ${q})])`).join(", ");
    return batch === 1 ? each : `vec4<f32>(${each})`;
  };
  const half = (k: string): string =>
    pairs === undefined ? "" : ` + select(0u, shape.results, ${k} >= ${perThread}u)`;
  const lanes = { shapes, rows, type } as const;
  const thread = threadNumber(shapes.features);
  return /* wgsl */ `${functions}${laneDeclarations(lanes)}
@compute @workgroup_size(${laneThreads})
fn main(${groupNumber.parameters}, ${thread.parameters}) {
  ${thread.code}
  ${groupNumber.code}
  let lane = t % shape.lanes;
  let per_group = ${laneThreads * perThread}u / shape.lanes;
  let first = group_number * per_group + (t / shape.lanes) * ${perThread}u;
  let m0 = wg.y * ${batch}u;
  let count = step.${of};
  ${xs.map((m) => `let x${m} = min(m0 + ${m}u, count - 1u) * shape.x_stride;`).join("\n  ")}
  var sums: array<${type}, ${rows}>;
  for (var u = lane; u < shape.units; u += shape.lanes) {
    ${repeat(
      shapes,
      { index: "k", field: "rows", count: rows },
      (
        k,
      ) => `var d = decode((min(first + ${k} % ${perThread}u, shape.results - 1u)${half(k)}) * shape.row_vec, u);
      ${repeat(shapes, { index: "q", field: "quads", count: quads }, (q) => `sums[${k}] += ${dots(q)};`)}`,
    )}
  }
  ${joinLanes(lanes)}
  for (var i = t; i < per_group; i += ${laneThreads}u) {
    let group = i / ${perThread}u;
    let k = i % ${perThread}u;
    let n = group_number * per_group + i;
    if (n >= shape.results) { continue; }
    let r = n + shape.first_row;
    let a = sum_at(k, group, width);
    ${pairs === undefined ? "" : `let b = sum_at(k + ${perThread}u, group, width);`}
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
