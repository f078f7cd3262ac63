/**
 * Products of the experts that rows are routed to: W of the expert [n, k] @ x [k] for each pair of a row and an expert. A
 * workgroup finds its expert from the routes (a pair of its own: steps of one row), or from the plan (a tile of pairs of one
 * expert, whose weights it decodes once: up to sixteen as in gemv.ts, 32 as in gemm.ts).
 */

import type { ExpertPiece } from "../expert-pieces.ts";
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
  writes,
} from "../kernel.ts";
import { rowLayout } from "../weight-layout.ts";
import type { Work } from "../work.ts";
import { type WeightCode, weightCode } from "./decode.ts";
import {
  type ExpertPairs,
  type ExpertPlan,
  expertNumber,
  placeBindings,
  tilesOf,
} from "./expert-plan.ts";
import { tileBody, tileQuads, tileRows, tileWeights } from "./gemm.ts";
import { lanesOf } from "./gemv.ts";
import { joinLanes, laneDeclarations, laneThreads, threadNumber } from "./lane-sums.ts";
import {
  addUnit,
  type BatchRows,
  blockCount,
  blocksInSource,
  rowsOfX,
  type UnitSums,
} from "./row-blocks.ts";

export interface ExpertProduct {
  readonly label: string;
  readonly pairs: ExpertPairs;
  readonly x: BufferSpec;
  /** f32 [rows, k], or [pairs, k]. */
  readonly xOf: "row" | "pair";
  /** Of one stacked weight, or of two whose sums give one result. */
  readonly piece: ExpertPiece;
  /** Rows of one matrix. */
  readonly results: number;
  /** f32 [pairs, slotStride(results)]. */
  readonly out: BufferSpec;
  readonly result: ExpertResult;
  readonly shapes: ShapeStore;
}

/** What is stored of a sum. */
export interface ExpertResult {
  /** WGSL of the value for result n of expert e: of sum a, of two weights b as well; `at` is its place in `out`. */
  readonly value: string;
  readonly functions: string;
  readonly bindings: readonly Binding[];
  readonly shape: ShapeFields;
}

/** Pairs of a tile: one without a plan. */
export type PairsPerTile = BatchRows | typeof tileRows;

interface TileChoice {
  readonly per: PairsPerTile;
  /** Absent: each pair is a tile. */
  readonly plan?: ExpertPlan;
  readonly when: Condition;
}

export function expertProduct(product: ExpertProduct, choice: TileChoice): KernelCall {
  return choice.per === tileRows
    ? tiledProduct(product, choice)
    : laneProduct(product, choice, choice.per);
}

/** As gemv.ts: lanes share a row of W. */
function laneProduct(product: ExpertProduct, choice: TileChoice, batch: BatchRows): KernelCall {
  const { piece, shapes, results, pairs } = product;
  const code = weightCode(piece.type, piece.columns, shapes.features);
  const { quads, functions } = code;
  const isPaired = piece.places.length === 2;
  const weights = batch === 1 ? 4 : 2;
  const perThread = isPaired ? weights / 2 : weights;
  const blocks = Math.max(1, batch / 4);
  const lanes = lanesOf(code.units);
  const shape = { lanes, rows: weights * blocks, weights, blocks };
  const [x, z] = foldedGroups(Math.ceil(results / ((laneThreads / lanes) * perThread)), shapes);
  const weightAt = (k: string): string =>
    `(${rowOf(isPaired, `${k} >= ${perThread}u`)} + min(first + ${k} % ${perThread}u, shape.results - 1u)) * shape.row_vec`;
  const sums = { shapes, batch, quads, weights, weightAt };
  const join = {
    shapes,
    rows: weights * blocksInSource(sums),
    type: batch === 1 ? "f32" : "vec4<f32>",
  } as const;
  const thread = threadNumber(shapes.features);
  const each = storePairs({ batch, isPaired, perThread });
  const body = /* wgsl */ `${functions}${laneDeclarations(join)}
@compute @workgroup_size(${laneThreads})
fn main(${groupNumber.parameters}, ${thread.parameters}) {
  ${thread.code}
  ${groupNumber.code}
  ${findExpert(choice, isPaired, pairs)}
  let lane = t % shape.lanes;
  let per_group = ${laneThreads * perThread}u / shape.lanes;
  let first = group_number * per_group + (t / shape.lanes) * ${perThread}u;
  ${pairRows(choice, sums)}
  var sums: array<${join.type}, ${join.rows}>;
  for (var u = lane; u < shape.units; u += shape.lanes) {
    ${addUnit(sums)}
  }
  ${joinLanes(join)}
  for (var i = t; i < per_group; i += ${laneThreads}u) {
    let group = i / ${perThread}u;
    let k = i % ${perThread}u;
    let n = group_number * per_group + i;
    if (n >= shape.results) { continue; }
    ${each(blockCount(sums), (m) => pairAt(choice, m))}
  }
}
`;
  return call(product, choice, { name: "gemv", body, code, shape, groups: [x, z] });
}

/** As gemm.ts: tiles of 32 pairs by 64 rows of W. */
function tiledProduct(product: ExpertProduct, choice: TileChoice): KernelCall {
  const { piece, shapes, results, pairs } = product;
  const code = weightCode(piece.type, piece.columns, shapes.features);
  const isPaired = piece.places.length === 2;
  const perTile = isPaired ? tileWeights / 2 : tileWeights;
  const [x, z] = foldedGroups(Math.ceil(results / perTile), shapes);
  const body = `${code.functions}${tileBody({
    shapes,
    code,
    perTile,
    setup: `${groupNumber.code}
  ${findExpert(choice, isPaired, pairs)}
  let count = m0 + pair_count;
  let results = shape.results;
  let begin = 0u;
  let end = shape.units;`,
    weightRow: `(${rowOf(isPaired, `j >= ${perTile}u`)} + min(r0 + j % ${perTile}u, results - 1u)) * shape.row_vec`,
    xRow: (m) => `${pairAt(choice, `(${m} - m0)`)} / shape.pairs_of_x`,
    store: `put(e, ${pairAt(choice, "(m - m0)")}, n, a, ${isPaired ? "tile_w[cell][j / 16u + 2u]" : "0.0"});`,
  })}`;
  const shape = { tile_quads: tileQuads };
  return call(product, choice, { name: "gemm", body, code, shape, groups: [x, z] });
}

function call(
  product: ExpertProduct,
  { per, plan, when }: TileChoice,
  kernel: {
    readonly name: string;
    readonly body: string;
    readonly code: WeightCode;
    readonly shape: ShapeFields;
    readonly groups: ReturnType<typeof foldedGroups>;
  },
): KernelCall {
  const { label, pairs, x, xOf, piece, results, out, result, shapes } = product;
  const shape = {
    ...kernel.code.shape,
    ...kernel.shape,
    ...Object.fromEntries(
      piece.places.flatMap(({ row, stride }, i) => [
        [`row${i}`, row],
        [`stride${i}`, stride],
      ]),
    ),
    first_expert: piece.first,
    end_expert: piece.end,
    results,
    x_stride: slotStride(piece.columns) / 4,
    pairs_of_x: xOf === "row" ? pairs.used : 1,
    out_stride: slotStride(results),
    ...(plan === undefined
      ? { used: pairs.used, route_stride: pairs.routeStride }
      : { tiles_at: plan.maxPairs }),
    ...result.shape,
  };
  const [groupsX, groupsZ] = kernel.groups;
  return kernelCall({
    label: `${kernel.name} ${label}`,
    shape,
    features: shapes.features,
    bindings: [
      shapeBinding(shapes, shape),
      ...(plan === undefined
        ? [reads("routes", "array<f32>", pairs.routes), ...placeBindings(pairs)]
        : [reads("plan", "array<u32>", plan.buffer)]),
      reads("w", "array<vec4<u32>>", piece.buffer),
      reads("x", "array<vec4<f32>>", x),
      ...result.bindings,
      writes("y", "array<f32>", out),
    ],
    groups: [groupsX, tilesOf(pairs, per), groupsZ],
    when,
    work: expertWork(product, per),
    body: `${result.functions}
fn put(e: u32, pair: u32, n: u32, a: f32, b: f32) {
  let at = pair * shape.out_stride + n;
  y[at] = ${result.value};
}
${kernel.body}`,
  });
}

/** Of `used` experts for a row, those here in proportion; tiles count as half full. */
function expertWork({ piece, pairs }: ExpertProduct, per: number): Work {
  const { gpuBytes } = rowLayout(piece.type, piece.columns);
  const rows = (piece.buffer.bytes / gpuBytes / pairs.all) * pairs.used;
  return {
    bytes: Math.floor(rows * gpuBytes),
    rows: Math.max(1, per / 2),
    products: Math.floor(rows) * piece.columns,
  };
}

/** Declares e, pair_count, and where the expert's matrices begin: row0, row1. Returns where there is nothing to do. */
function findExpert({ plan }: TileChoice, isPaired: boolean, pairs: ExpertPairs): string {
  const found =
    plan === undefined
      ? `let e = ${expertNumber(pairs, "routes[(wg.y / shape.used) * shape.route_stride + wg.y % shape.used]")};
  let pair_count = 1u;`
      : `let tile = shape.tiles_at + wg.y * 3u;
  let e = plan[tile];
  let first_pair = plan[tile + 1u];
  let pair_count = plan[tile + 2u];`;
  const rows = (isPaired ? [0, 1] : [0]).map(
    (i) => `let row${i} = shape.row${i} + (e - shape.first_expert) * shape.stride${i};`,
  );
  return `${found}
  if (pair_count == 0u || e < shape.first_expert || e >= shape.end_expert) { return; }
  ${rows.join("\n  ")}`;
}

/** WGSL of the tile's m-th pair. */
function pairAt({ plan }: TileChoice, m: string): string {
  return plan === undefined ? "wg.y" : `plan[first_pair + ${m}]`;
}

function rowOf(isPaired: boolean, isSecond: string): string {
  return isPaired ? `select(row0, row1, ${isSecond})` : "row0";
}

/** Where the rows of x begin: behind the last pair, that one again. */
function pairRows(choice: TileChoice, sums: UnitSums): string {
  const row = (m: string): string =>
    `${pairAt(choice, `min(${m}, pair_count - 1u)`)} / shape.pairs_of_x * shape.x_stride`;
  if (sums.batch === 1) return `let x_row = ${row("0u")};`;
  return rowsOfX(sums, row);
}

/** Statements that store result n of each pair. */
function storePairs({
  batch,
  isPaired,
  perThread,
}: {
  readonly batch: BatchRows;
  readonly isPaired: boolean;
  readonly perThread: number;
}): (blocks: string, pair: (m: string) => string) => string {
  const second = `k + ${perThread}u`;
  if (batch === 1) {
    const b = isPaired ? `sum_at(${second}, group, width)` : "0.0";
    return (_, pair) => `put(e, ${pair("0u")}, n, sum_at(k, group, width), ${b});`;
  }
  return (blocks, pair) => `for (var block = 0u; block < ${blocks}; block++) {
      if (4u * block >= pair_count) { break; }
      let a = sum_at(k * ${blocks} + block, group, width);
      let b = ${isPaired ? `sum_at((${second}) * ${blocks} + block, group, width)` : "vec4<f32>()"};
      for (var m = 0u; m < min(4u, pair_count - 4u * block); m++) {
        put(e, ${pair("4u * block + m")}, n, a[m], b[m]);
      }
    }`;
}
