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
  type Extent,
  fixed,
  type KernelCall,
  kernelCall,
  reads,
  slotStride,
  stepType,
} from "../kernel.ts";
import { weightCode } from "./decode.ts";
import { type Epilogue, epilogueBindings, epilogueCode } from "./epilogue.ts";

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
  batch: { readonly rows: number; readonly when: Condition },
): KernelCall {
  const { piece, epilogue, step, x, pairs } = product;
  const code = weightCode(piece.type, piece.columns);
  const lanes = lanesOf(code.units);
  const results = pairs?.rows ?? piece.rows;
  const perThread = pairs === undefined ? (batch.rows === 1 ? 4 : 2) : 2;
  const perGroup = (threads / lanes) * perThread;
  const shape = { lanes, perThread, perGroup, results, batch: batch.rows };
  const groups: Extent = fixed(Math.ceil(results / perGroup));
  return kernelCall({
    label: `gemv ${product.label}`,
    bindings: [
      reads("step", stepType, step),
      reads("w", "array<vec4<u32>>", piece.buffer),
      reads("x", "array<vec4<f32>>", x),
      ...epilogueBindings(epilogue),
      ...(pairs?.bindings ?? []),
    ],
    body: `${code.functions}${epilogueCode(epilogue)}${pairs?.functions ?? ""}${gemvBody(product, shape)}`,
    groups: [groups, { kind: product.of, per: batch.rows }, fixed(1)],
    when: batch.when,
  });
}

interface GemvShape {
  readonly lanes: number;
  readonly perThread: number;
  readonly perGroup: number;
  readonly results: number;
  readonly batch: number;
}

function gemvBody(product: Product, shape: GemvShape): string {
  const { piece, pairs } = product;
  const code = weightCode(piece.type, piece.columns);
  const { lanes, perThread, perGroup, results, batch } = shape;
  const weights = pairs === undefined ? 1 : 2;
  const sums = perThread * weights * batch;
  const stride = slotStride(piece.columns) / 4;
  const indices = [...Array(perThread * weights).keys()];
  const rows = [...Array(batch).keys()];
  const accumulate = indices.map((i) => {
    const second = pairs === undefined || i < perThread ? "" : ` + ${pairs.rows}u`;
    const terms = [...Array(code.quads).keys()].flatMap((q) =>
      rows.map((m) => `s${i}_${m} += dot(d[${q}], x[x${m} + ${code.quadAt("u", q)}]);`),
    );
    return `{
      let d = decode((min(first + ${i % perThread}u, ${results - 1}u)${second}) * ROWVEC, u);
      ${terms.join("\n      ")}
    }`;
  });
  const sum = "sum_at(k, group, m)";
  const store =
    pairs === undefined
      ? sum
      : `combine(r + ${piece.firstRow}u, ${sum}, sum_at(k + ${perThread}u, group, m))`;
  return /* wgsl */ `
var<workgroup> partial: array<f32, ${sums * threads}>;
fn sum_at(k: u32, group: u32, m: u32) -> f32 {
  let at = (k * ${batch}u + m) * ${threads}u + group * ${lanes}u;
  var sum = 0.0;
  for (var i = 0u; i < ${Math.min(lanes, 8)}u; i++) { sum += partial[at + i]; }
  return sum;
}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let lane = t % ${lanes}u;
  let first = wg.x * ${perGroup}u + (t / ${lanes}u) * ${perThread}u;
  let m0 = wg.y * ${batch}u;
  let count = step.${product.of};
  ${rows.map((m) => `let x${m} = min(m0 + ${m}u, count - 1u) * ${stride}u;`).join("\n  ")}
  ${indices.flatMap((i) => rows.map((m) => `var s${i}_${m} = 0.0;`)).join(" ")}
  for (var u = lane; u < ${code.units}u; u += ${lanes}u) {
    ${accumulate.join("\n    ")}
  }
  ${indices.flatMap((i) => rows.map((m) => `partial[${(i * batch + m) * threads}u + t] = s${i}_${m};`)).join("\n  ")}
  workgroupBarrier();
  ${lanes > 8 ? foldLanes(lanes, sums) : ""}
  for (var i = t; i < ${perGroup * batch}u; i += ${threads}u) {
    let group = i / ${perThread * batch}u;
    let k = (i / ${batch}u) % ${perThread}u;
    let m = i % ${batch}u;
    let r = wg.x * ${perGroup}u + group * ${perThread}u + k;
    if (r < ${results}u && m0 + m < count) { store(r + ${piece.firstRow}u, m0 + m, ${store}); }
  }
}
`;
}

/** The first eight lanes take over the sums of the others: lane l those of l + 8, l + 16, … */
function foldLanes(lanes: number, sums: number): string {
  return `if (lane < 8u) {
    for (var k = 0u; k < ${sums}u; k++) {
      var sum = 0.0;
      for (var i = lane; i < ${lanes}u; i += 8u) { sum += partial[k * ${threads}u + t - lane + i]; }
      partial[k * ${threads}u + t] = sum;
    }
  }
  workgroupBarrier();`;
}
