/**
 * W [n, k] @ x [m, k] -> y [m, n] for few rows m: every weight is read once for up to sixteen rows of the step.
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
import { addUnit, type BatchRows, blockCount, blocksInSource, xRows } from "./row-blocks.ts";

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

/**
 * Rows of W that a thread works on at once. For one row of the step: four (two pairs). For more: two, decoded before
 * their sums, so that each quad of x is read for both: 64 registers of weights and 32 of sums for sixteen rows.
 */
function weightsAtOnce(batch: BatchRows): number {
  return batch === 1 ? 4 : 2;
}

export function gemv(
  product: Product,
  batch: { readonly rows: BatchRows; readonly when: Condition },
): KernelCall {
  const { piece, epilogue, pairs } = product;
  const code = weightCode(piece.type, piece.columns, product.shapes.features);
  const lanes = lanesOf(code.units);
  const results = pairs?.rows ?? piece.rows;
  const weights = weightsAtOnce(batch.rows);
  const perThread = weights / (pairs === undefined ? 1 : 2);
  const blocks = Math.max(1, batch.rows / 4);
  const shape = { ...productShape(product), lanes, rows: weights * blocks, weights, blocks };
  const [x, z] = foldedGroups(
    Math.ceil(results / ((laneThreads / lanes) * perThread)),
    product.shapes,
  );
  return kernelCall({
    label: `gemv ${product.label}`,
    shape,
    features: product.shapes.features,
    bindings: productBindings(product, shape),
    body: `${epilogueCode(epilogue)}${pairs?.functions ?? ""}${gemvBody(product, { weights, perThread, batch: batch.rows })}`,
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
    ...productInputs(product, shape),
    ...epilogueBindings(product.epilogue),
    ...(product.pairs?.bindings ?? []),
  ];
}

/** What it reads. */
export function productInputs(product: Product, shape: ShapeFields): readonly Binding[] {
  return [
    shapeBinding(product.shapes, shape),
    reads("step", stepType, product.step),
    reads("w", "array<vec4<u32>>", product.piece.buffer),
    reads("x", "array<vec4<f32>>", product.x),
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
  readonly weights: number;
  readonly perThread: number;
  readonly batch: BatchRows;
}

function gemvBody(product: Product, gemvShape: GemvShape): string {
  const { piece, pairs, of, shapes } = product;
  const { weights, perThread, batch } = gemvShape;
  const { functions, quads } = weightCode(piece.type, piece.columns, shapes.features);
  const weightAt = (k: string): string => weightOf(product, perThread, k);
  const unitSums = { shapes, batch, quads, weights, weightAt };
  const lanes = {
    shapes,
    rows: weights * blocksInSource(unitSums),
    type: batch === 1 ? "f32" : "vec4<f32>",
  } as const;
  const thread = threadNumber(shapes.features);
  return /* wgsl */ `${functions}${laneDeclarations(lanes)}
@compute @workgroup_size(${laneThreads})
fn main(${groupNumber.parameters}, ${thread.parameters}) {
  ${thread.code}
  ${groupNumber.code}
  let lane = t % shape.lanes;
  let per_group = ${laneThreads * perThread}u / shape.lanes;
  let first = group_number * per_group + (t / shape.lanes) * ${perThread}u;
  let m0 = wg.y * ${batch === 1 ? "1u" : `4u * ${blockCount(unitSums)}`};
  let count = step.${of};
  ${xRows(unitSums)}
  var sums: array<${lanes.type}, ${lanes.rows}>;
  for (var u = lane; u < shape.units; u += shape.lanes) {
    ${addUnit(unitSums)}
  }
  ${joinLanes(lanes)}
  for (var i = t; i < per_group; i += ${laneThreads}u) {
    let group = i / ${perThread}u;
    let k = i % ${perThread}u;
    let n = group_number * per_group + i;
    if (n >= shape.results) { continue; }
    let r = n + shape.first_row;
    ${storeRows(gemvShape, pairs !== undefined)}
  }
}
`;
}

/** The row of W that is a thread's k-th; of pairs, the second weights follow the first. */
function weightOf({ pairs }: Product, perThread: number, k: string): string {
  const half = pairs === undefined ? "" : ` + select(0u, shape.results, ${k} >= ${perThread}u)`;
  return `(min(first + ${k} % ${perThread}u, shape.results - 1u)${half}) * shape.row_vec`;
}

function storeRows({ perThread, batch }: GemvShape, isPaired: boolean): string {
  const second = (at: string): string =>
    isPaired ? `let b = sum_at(${at.replace("k", `(k + ${perThread}u)`)}, group, width);` : "";
  if (batch === 1) {
    return `let a = sum_at(k, group, width);
    ${second("k")}
    store(r, m0, ${isPaired ? "combine(r, a, b)" : "a"});`;
  }
  const at = "k * shape.blocks + block";
  return `for (var block = 0u; block < shape.blocks; block++) {
      let m1 = m0 + 4u * block;
      if (m1 >= count) { break; }
      let a = sum_at(${at}, group, width);
      ${second(at)}
      for (var m = 0u; m < min(4u, count - m1); m++) { store(r, m1 + m, ${isPaired ? "combine(r, a[m], b[m])" : "a[m]"}); }
    }`;
}
