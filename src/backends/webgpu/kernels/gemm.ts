/**
 * W [n, k] @ x [m, k] -> y [m, n] for many rows m: tiles of 32 rows of the step by 64 rows of W.
 * 128 threads; both tiles pass through workgroup memory as f32, 32 values of k at a time, so a weight is decoded
 * once for 32 rows. A thread owns 4 × 4 sums; its rows of W lie 16 apart, so that with two stacked weights
 * (gate and up) both halves of a pair are its own.
 */
import {
  type Condition,
  fixed,
  type KernelCall,
  kernelCall,
  reads,
  slotStride,
  stepType,
} from "../kernel.ts";
import { weightCode } from "./decode.ts";
import { epilogueBindings, epilogueCode } from "./epilogue.ts";
import type { Product } from "./gemv.ts";

const threads = 128;
const tileRows = 32;
const tileWeights = 64;
/** vec4 of k in a tile; with 16 bytes each: (32 + 64) · 8 · 16 = 12 KiB of the guaranteed 16. */
const tileQuads = 8;

export function gemm(product: Product, when: Condition): KernelCall {
  const { piece, epilogue, step, x, pairs } = product;
  const code = weightCode(piece.type, piece.columns);
  const results = pairs?.rows ?? piece.rows;
  const perTile = pairs === undefined ? tileWeights : tileWeights / 2;
  return kernelCall({
    label: `gemm ${product.label}`,
    bindings: [
      reads("step", stepType, step),
      reads("w", "array<vec4<u32>>", piece.buffer),
      reads("x", "array<vec4<f32>>", x),
      ...epilogueBindings(epilogue),
      ...(pairs?.bindings ?? []),
    ],
    body: `${code.functions}${epilogueCode(epilogue)}${pairs?.functions ?? ""}${gemmBody(product, perTile)}`,
    groups: [fixed(Math.ceil(results / perTile)), { kind: product.of, per: tileRows }, fixed(1)],
    when,
  });
}

function gemmBody(product: Product, perTile: number): string {
  const { piece, pairs } = product;
  const code = weightCode(piece.type, piece.columns);
  const results = pairs?.rows ?? piece.rows;
  const unitsPerTile = tileQuads / code.quads;
  const stride = slotStride(piece.columns) / 4;
  const second = pairs === undefined ? "" : ` + select(0u, ${pairs.rows}u, j >= ${perTile}u)`;
  const quads = [...Array(code.quads).keys()];
  const store =
    pairs === undefined
      ? storeSingle(results, piece.firstRow)
      : storePairs(results, piece.firstRow);
  return /* wgsl */ `
var<workgroup> tile_w: array<vec4<f32>, ${tileWeights * tileQuads}>;
var<workgroup> tile_x: array<vec4<f32>, ${tileRows * tileQuads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let count = step.${product.of};
  let m0 = wg.y * ${tileRows}u;
  let r0 = wg.x * ${perTile}u;
  let tr = t % 16u;
  let tm = t / 16u;
  var sums: array<array<f32, 4>, 4>;
  for (var u0 = 0u; u0 < ${code.units}u; u0 += ${unitsPerTile}u) {
    for (var i = t; i < ${tileWeights * unitsPerTile}u; i += ${threads}u) {
      let j = i / ${unitsPerTile}u;
      let u = u0 + i % ${unitsPerTile}u;
      let at = j * ${tileQuads}u + (i % ${unitsPerTile}u) * ${code.quads}u;
      if (u < ${code.units}u) {
        let d = decode((min(r0 + j % ${perTile}u, ${results - 1}u)${second}) * ROWVEC, u);
        ${quads.map((q) => `tile_w[at + ${q}u] = d[${q}];`).join(" ")}
      } else {
        ${quads.map((q) => `tile_w[at + ${q}u] = vec4<f32>();`).join(" ")}
      }
    }
    for (var i = t; i < ${tileRows * unitsPerTile}u; i += ${threads}u) {
      let j = i / ${unitsPerTile}u;
      let u = min(u0 + i % ${unitsPerTile}u, ${code.units - 1}u);
      let at = j * ${tileQuads}u + (i % ${unitsPerTile}u) * ${code.quads}u;
      let src = min(m0 + j, count - 1u) * ${stride}u;
      ${quads.map((q) => `tile_x[at + ${q}u] = x[src + ${code.quadAt("u", q)}];`).join("\n      ")}
    }
    workgroupBarrier();
    for (var q = 0u; q < ${tileQuads}u; q++) {
      let w0 = tile_w[tr * ${tileQuads}u + q];
      let w1 = tile_w[(tr + 16u) * ${tileQuads}u + q];
      let w2 = tile_w[(tr + 32u) * ${tileQuads}u + q];
      let w3 = tile_w[(tr + 48u) * ${tileQuads}u + q];
      for (var m = 0u; m < 4u; m++) {
        let a = tile_x[(tm * 4u + m) * ${tileQuads}u + q];
        sums[m][0] += dot(w0, a);
        sums[m][1] += dot(w1, a);
        sums[m][2] += dot(w2, a);
        sums[m][3] += dot(w3, a);
      }
    }
    workgroupBarrier();
  }
  for (var k = 0u; k < 4u; k++) {
    let m = m0 + tm * 4u + k;
    if (m >= count) { continue; }
${store}
  }
}
`;
}

function storeSingle(results: number, firstRow: number): string {
  const line = (i: number): string =>
    `    if (r0 + tr + ${16 * i}u < ${results}u) { store(r0 + tr + ${16 * i + firstRow}u, m, sums[k][${i}]); }`;
  return [0, 1, 2, 3].map(line).join("\n");
}

function storePairs(results: number, firstRow: number): string {
  const line = (i: number): string =>
    `    if (r0 + tr + ${16 * i}u < ${results}u) { let r = r0 + tr + ${16 * i + firstRow}u; store(r, m, combine(r, sums[k][${i}], sums[k][${i + 2}])); }`;
  return [0, 1].map(line).join("\n");
}
