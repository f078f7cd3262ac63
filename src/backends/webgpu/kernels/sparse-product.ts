/**
 * W[active, :] [neurons, k] @ x [m, k] -> h [m, neurons] at the active neurons only: the gate and up part of a sparse
 * block. Like gemv.ts, but the rows of W come from a list; a fixed number of workgroups loops over it.
 */
import {
  type Binding,
  type BufferSpec,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  slotStride,
  writes,
} from "../kernel.ts";
import { weightCode } from "./decode.ts";
import { lanesOf, type WeightPiece } from "./gemv.ts";
import { type ActiveList, activeCount, activeNeuron } from "./sparse.ts";

const threads = 64;
/** Enough workgroups to fill a large card (144 multiprocessors) several times over. */
const maxGroups = 512;

export interface SparseProduct {
  readonly label: string;
  readonly x: BufferSpec;
  readonly piece: WeightPiece;
  readonly active: ActiveList;
  readonly hidden: BufferSpec;
  /** The piece holds gate rows, then up rows, of the same neurons. */
  readonly isPaired: boolean;
  /** Declarations that `value` uses, and their bindings. */
  readonly functions: string;
  readonly bindings: readonly Binding[];
  /** h as WGSL of the neuron n, the row m, and the sums a (and b, of the second half of a pair). */
  readonly value: string;
}

export function sparseProduct(product: SparseProduct): KernelCall {
  const { piece, active, hidden, x, isPaired } = product;
  const code = weightCode(piece.type, piece.columns);
  const lanes = lanesOf(code.units);
  const perGroup = threads / lanes;
  const stride = slotStride(piece.columns) / 4;
  const quads = [...Array(code.quads).keys()];
  const weights = isPaired ? 2 : 1;
  const half = (i: number): string => `{
        let d = decode((n - ${piece.firstRow}u${i === 0 ? "" : ` + ${piece.rows}u`}) * ROWVEC, u);
        ${quads.map((q) => `s${i} += dot(d[${q}], x[x_at + ${code.quadAt("u", q)}]);`).join("\n        ")}
      }`;
  return kernelCall({
    label: product.label,
    bindings: [
      reads("w", "array<vec4<u32>>", piece.buffer),
      reads("x", "array<vec4<f32>>", x),
      reads("list", "array<u32>", active.list),
      reads("counts", "array<u32>", active.counts),
      writes("hidden", "array<f32>", hidden),
      ...product.bindings,
    ],
    groups: [
      fixed(Math.min(maxGroups, Math.ceil(active.neurons / perGroup))),
      { kind: active.of, per: 1 },
      one,
    ],
    body: /* wgsl */ `${code.functions}${product.functions}
var<workgroup> lane_sums: array<f32, ${threads * weights}>;
fn sum_at(i: u32) -> f32 {
  var sum = 0.0;
  for (var k = 0u; k < ${lanes}u; k++) { sum += lane_sums[i + k]; }
  return sum;
}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m = wg.y;
  let count = ${activeCount(active, "m")};
  let lane = t % ${lanes}u;
  let x_at = m * ${stride}u;
  for (var first = wg.x * ${perGroup}u; first < count; first += wgs.x * ${perGroup}u) {
    let n = ${activeNeuron(active, "m", `min(first + t / ${lanes}u, count - 1u)`)};
    let is_here = n >= ${piece.firstRow}u && n < ${piece.firstRow + piece.rows}u;
    var s0 = 0.0;
    var s1 = 0.0;
    if (is_here) {
      for (var u = lane; u < ${code.units}u; u += ${lanes}u) {
      ${half(0)}
      ${isPaired ? half(1) : ""}
      }
    }
    lane_sums[t] = s0;
    ${isPaired ? `lane_sums[${threads}u + t] = s1;` : ""}
    workgroupBarrier();
    if (lane == 0u && is_here && first + t / ${lanes}u < count) {
      let a = sum_at(t);
      ${isPaired ? `let b = sum_at(${threads}u + t);` : ""}
      hidden[m * ${slotStride(active.neurons)}u + n] = ${product.value};
    }
    workgroupBarrier();
  }
}
`,
  });
}
