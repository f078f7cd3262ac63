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
  loopEnd,
  one,
  reads,
  type ShapeStore,
  shapeBinding,
  slotStride,
  writes,
} from "../kernel.ts";
import { weightCode } from "./decode.ts";
import { lanesOf, type WeightPiece } from "./gemv.ts";
import { type ActiveList, activeCount, activeNeuron, activeShape } from "./sparse.ts";

const threads = 64;
/** Enough workgroups to fill a large card (144 multiprocessors) several times over. */
const maxGroups = 512;

export interface SparseProduct {
  readonly label: string;
  readonly x: BufferSpec;
  readonly piece: WeightPiece;
  readonly active: ActiveList;
  readonly hidden: BufferSpec;
  readonly shapes: ShapeStore;
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
  const shape = {
    ...code.shape,
    ...activeShape(active),
    lanes,
    rows: piece.rows,
    first_row: piece.firstRow,
    x_stride: slotStride(piece.columns) / 4,
    h_stride: slotStride(active.neurons),
  };
  const weights = isPaired ? 2 : 1;
  const half = (i: number): string => `{
        var d = decode((n - shape.first_row${i === 0 ? "" : " + shape.rows"}) * shape.row_vec, u);
        for (var q = 0u; q < ${loopEnd(product.shapes, "quads", code.quads)}; q++) { s${i} += dot(d[q], x[x_at + quad_at(u, q)]); }
      }`;
  return kernelCall({
    label: product.label,
    shape,
    bindings: [
      shapeBinding(product.shapes, shape),
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
  for (var k = 0u; k < shape.lanes; k++) { sum += lane_sums[i + k]; }
  return sum;
}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m = wg.y;
  let per_group = 64u / shape.lanes;
  let count = ${activeCount("m")};
  let lane = t % shape.lanes;
  let x_at = m * shape.x_stride;
  for (var first = wg.x * per_group; first < count; first += wgs.x * per_group) {
    let n = ${activeNeuron("m", `min(first + t / shape.lanes, count - 1u)`)};
    let is_here = n >= shape.first_row && n < shape.first_row + shape.rows;
    var s0 = 0.0;
    var s1 = 0.0;
    if (is_here) {
      for (var u = lane; u < shape.units; u += shape.lanes) {
      ${half(0)}
      ${isPaired ? half(1) : ""}
      }
    }
    lane_sums[t] = s0;
    ${isPaired ? `lane_sums[${threads}u + t] = s1;` : ""}
    workgroupBarrier();
    if (lane == 0u && is_here && first + t / shape.lanes < count) {
      let a = sum_at(t);
      ${isPaired ? `let b = sum_at(${threads}u + t);` : ""}
      hidden[m * shape.h_stride + n] = ${product.value};
    }
    workgroupBarrier();
  }
}
`,
  });
}
