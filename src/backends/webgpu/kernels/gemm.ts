/**
 * W [n, k] @ x [m, k] -> y [m, n] for many rows m: tiles of 32 rows of the step by 64 rows of W.
 * 128 threads; both tiles pass through workgroup memory as f32, 32 values of k at a time, so a weight is decoded
 * once for 32 rows. A thread owns 4 × 4 sums; its rows of W lie 16 apart, so that with two stacked weights
 * (gate and up) both halves of a pair are its own. Where tiles are too few for a card, k is cut into parts (join-parts.ts).
 */
import { partsToFill } from "../fill.ts";
import {
  type Condition,
  fixed,
  foldedGroups,
  groupNumber,
  type KernelCall,
  kernelCall,
  repeat,
  type ShapeStore,
  slotStride,
  writes,
} from "../kernel.ts";
import { type WeightCode, weightCode } from "./decode.ts";
import { epilogueCode } from "./epilogue.ts";
import { type Product, productBindings, productInputs, productShape, productWork } from "./gemv.ts";
import type { PartialSums } from "./join-parts.ts";

const threads = 128;
export const tileRows = 32;
export const tileWeights = 64;
/** vec4 of k in a tile. */
export const tileQuads = 8;
/**
 * From one row of a tile to the next: an odd number of vec4, so that eight threads that read below each other find
 * their 16 bytes in different banks. (32 + 64) · 9 · 16 B = 13.5 KiB of the guaranteed 16.
 */
const tileStride = tileQuads + 1;

/** Parts of k for steps of one tile of rows: a group has twice the threads that fill.ts counts. */
export function gemmParts({ piece, pairs }: Product): number {
  if (pairs !== undefined) return 1;
  return partsToFill({ groups: 2 * Math.ceil(piece.rows / tileWeights), items: piece.columns });
}

/** With `sums`, parts of the results; a product of pairs has none. */
export function gemm(product: Product, when: Condition, sums?: PartialSums): KernelCall {
  const { piece, epilogue, pairs } = product;
  const code = weightCode(piece.type, piece.columns, product.shapes.features);
  const results = pairs?.rows ?? piece.rows;
  const perTile = pairs === undefined ? tileWeights : tileWeights / 2;
  const shape = {
    ...productShape(product),
    tile_quads: tileQuads,
    ...(sums && { parts: sums.parts, part_stride: slotStride(sums.dim) }),
  };
  const [x, z] = foldedGroups(Math.ceil(results / perTile), product.shapes);
  return kernelCall({
    label: `gemm ${product.label}`,
    shape,
    features: product.shapes.features,
    bindings:
      sums === undefined
        ? productBindings(product, shape)
        : [...productInputs(product, shape), writes("partial", "array<f32>", sums.buffer)],
    body: `${code.functions}${sums === undefined ? epilogueCode(epilogue) : ""}${pairs?.functions ?? ""}${gemmBody(product, perTile, sums !== undefined)}`,
    groups: [x, { kind: product.of, per: tileRows }, sums === undefined ? z : fixed(sums.parts)],
    when,
    work: productWork(product, tileRows),
  });
}

function gemmBody(product: Product, perTile: number, isPart: boolean): string {
  const { pairs, shapes, piece, of } = product;
  const code = weightCode(piece.type, piece.columns, shapes.features);
  const half = pairs === undefined ? "" : ` + select(0u, results, j >= ${perTile}u)`;
  const result =
    pairs === undefined
      ? "store(r, m, a);"
      : `store(r, m, combine(r, a, tile_w[cell][j / 16u + 2u]));`;
  return tileBody({
    shapes,
    code,
    perTile,
    setup: `${isPart ? "let group_number = wg.x;" : groupNumber.code}
  let count = step.${of};
  let results = shape.results;
  ${isPart ? partOfUnits(tileQuads / code.quads) : "let begin = 0u; let end = shape.units;"}`,
    weightRow: `(min(r0 + j % ${perTile}u, results - 1u)${half}) * shape.row_vec`,
    store: isPart
      ? "partial[(m * shape.parts + wg.z) * shape.part_stride + n] = a;"
      : `let r = n + shape.first_row; ${result}`,
  });
}

function partOfUnits(unitsPerTile: number): string {
  return `let tiles = (shape.units + ${unitsPerTile - 1}u) / ${unitsPerTile}u;
  let share = (tiles + shape.parts - 1u) / shape.parts * ${unitsPerTile}u;
  let begin = min(wg.z * share, shape.units);
  let end = min(begin + share, shape.units);`;
}

/** What a product in tiles of 32 rows of the step and 64 of W says for itself. */
export interface TileForm {
  readonly shapes: ShapeStore;
  readonly code: WeightCode;
  /** Results of a tile: 64, or 32 of pairs. */
  readonly perTile: number;
  /** Declares group_number, count (rows of the step), results, and the units [begin, end). May return, all threads alike. */
  readonly setup: string;
  /** vec4 of W at which row j of the tile begins; r0 is the tile's first result. */
  readonly weightRow: string;
  /** WGSL of the row of x that is row m, below count. Default: m. */
  readonly xRow?: (m: string) => string;
  /** Statements for result n in row m: a is the sum, tile_w[cell] has that of its pair. */
  readonly store: string;
}

export function tileBody(form: TileForm): string {
  const { shapes, code, perTile, setup, weightRow, store, xRow = (m) => m } = form;
  const eachQuad = (body: (q: string) => string): string =>
    repeat(shapes, { index: "q", field: "quads", count: code.quads }, body);
  const unitsPerTile = tileQuads / code.quads;
  return /* wgsl */ `
var<workgroup> tile_w: array<vec4<f32>, ${tileWeights * tileStride}>;
var<workgroup> tile_x: array<vec4<f32>, ${tileRows * tileStride}>;
@compute @workgroup_size(${threads})
fn main(${groupNumber.parameters}, @builtin(local_invocation_index) t: u32) {
  let m0 = wg.y * ${tileRows}u;
  ${setup}
  let r0 = group_number * ${perTile}u;
  let tr = t % 16u;
  let tm = t / 16u;
  var sums: array<vec4<f32>, 4>;
  for (var u0 = begin; u0 < end; u0 += ${unitsPerTile}u) {
    for (var i = t; i < ${tileWeights * unitsPerTile}u; i += ${threads}u) {
      let j = i / ${unitsPerTile}u;
      let u = u0 + i % ${unitsPerTile}u;
      // Units behind the end of the row count as 0.
      let here = select(0.0, 1.0, u < shape.units);
      var d = decode(${weightRow}, min(u, shape.units - 1u));
      let at = j * ${tileStride}u + (i % ${unitsPerTile}u) * ${code.quads}u;
      ${eachQuad((q) => `tile_w[at + ${q}] = here * d[${q}];`)}
    }
    for (var i = t; i < ${tileRows * unitsPerTile}u; i += ${threads}u) {
      let u = min(u0 + i % ${unitsPerTile}u, shape.units - 1u);
      let src = ${xRow(`min(m0 + i / ${unitsPerTile}u, count - 1u)`)} * shape.x_stride;
      let at = (i / ${unitsPerTile}u) * ${tileStride}u + (i % ${unitsPerTile}u) * ${code.quads}u;
      ${eachQuad((q) => `tile_x[at + ${q}] = x[src + quad_at(u, ${q})];`)}
    }
    workgroupBarrier();
    ${repeat(shapes, { index: "q", field: "tile_quads", count: tileQuads }, tileProduct)}
    workgroupBarrier();
  }
  // Through workgroup memory, so that neighbouring threads store neighbouring results.
  for (var m = 0u; m < 4u; m++) { tile_w[(tm * 4u + m) * 16u + tr] = sums[m]; }
  workgroupBarrier();
  for (var i = t; i < ${tileRows * perTile}u; i += ${threads}u) {
    let m = m0 + i / ${perTile}u;
    let j = i % ${perTile}u;
    let n = r0 + j;
    if (m >= count || n >= results) { continue; }
    let cell = (i / ${perTile}u) * 16u + j % 16u;
    let a = tile_w[cell][j / 16u];
    ${store}
  }
}
`;
}

/** Adds up what quad q of the tiles gives. */
function tileProduct(q: string): string {
  const weights = [0, 1, 2, 3].map(
    (i) => `let w${i} = tile_w[(tr + ${16 * i}u) * ${tileStride}u + ${q}];`,
  );
  const sums = [0, 1, 2, 3].map(
    (m) => `{ let b = tile_x[(tm * 4u + ${m}u) * ${tileStride}u + ${q}];
      sums[${m}] += vec4<f32>(dot(w0, b), dot(w1, b), dot(w2, b), dot(w3, b)); }`,
  );
  return [...weights, ...sums].join("\n      ");
}
