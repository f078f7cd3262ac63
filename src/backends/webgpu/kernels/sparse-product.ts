/**
 * W[active, :] [neurons, k] @ x [m, k] -> h [m, neurons] at the active neurons only: the gate and up part of a sparse
 * block. Like gemv.ts, but the rows of W come from a list; a fixed number of workgroups loops over it. A whole neuron is
 * the work of its lanes: nothing is skipped inside a row.
 */
import {
  type Binding,
  type BufferSpec,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  repeat,
  type ShapeStore,
  shapeBinding,
  slotStride,
  writes,
} from "../kernel.ts";
import { weightCode } from "./decode.ts";
import { lanesOf, productWork, type WeightPiece } from "./gemv.ts";
import { joinLanes, laneDeclarations, laneThreads, threadNumber } from "./lane-sums.ts";
import { type ActiveList, activeNeuron, activeRange, activeShape } from "./sparse.ts";

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
  const code = weightCode(piece.type, piece.columns, product.shapes.features);
  const lanes = lanesOf(code.units);
  const perGroup = laneThreads / lanes;
  const weights = isPaired ? 2 : 1;
  const shape = {
    ...code.shape,
    ...activeShape(active),
    lanes,
    rows: weights,
    neurons_here: piece.rows,
    first_row: piece.firstRow,
    end_row: piece.firstRow + piece.rows,
    x_stride: slotStride(piece.columns) / 4,
    h_stride: slotStride(active.neurons),
  };
  return kernelCall({
    label: product.label,
    shape,
    features: product.shapes.features,
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
    body: sparseBody(product, weights),
    work: productWork(product, 1),
  });
}

function sparseBody(product: SparseProduct, weights: 1 | 2): string {
  const { piece, shapes, isPaired } = product;
  const code = weightCode(piece.type, piece.columns, shapes.features);
  const lanes = { shapes, rows: weights, type: "f32" } as const;
  const thread = threadNumber(shapes.features);
  const range = activeRange(product.active, { piece, neurons: product.active.neurons });
  const half = (k: string): string => (isPaired ? ` + ${k} * shape.neurons_here` : "");
  return /* wgsl */ `${code.functions}${product.functions}${laneDeclarations(lanes)}${range.functions}
@compute @workgroup_size(${laneThreads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, ${thread.parameters}) {
  ${thread.code}
  let m = wg.y;
  let per_group = ${laneThreads}u / shape.lanes;
  let range = ${range.code("m")};
  let lane = t % shape.lanes;
  let x_at = m * shape.x_stride;
  for (var first = range.x + wg.x * per_group; first < range.y; first += wgs.x * per_group) {
    let n = ${activeNeuron("m", "min(first + t / shape.lanes, range.y - 1u)")};
    var sums = array<f32, ${weights}>();
    for (var u = lane; u < shape.units; u += shape.lanes) {
      ${repeat(
        shapes,
        { index: "k", field: "rows", count: weights },
        (k) => `var d = decode((n - shape.first_row${half(k)}) * shape.row_vec, u);
      ${repeat(shapes, { index: "q", field: "quads", count: code.quads }, (q) => `sums[${k}] += dot(d[${q}], x[x_at + quad_at(u, ${q})]);`)}`,
      )}
    }
    ${joinLanes(lanes)}
    if (lane == 0u && first + t / shape.lanes < range.y) {
      let a = sum_at(0u, t / shape.lanes, width);
      ${isPaired ? "let b = sum_at(1u, t / shape.lanes, width);" : ""}
      hidden[m * shape.h_stride + n] = ${product.value};
    }
    workgroupBarrier();
  }
}
`;
}
