/**
 * W[active, :] [neurons, k] @ x [m, k] -> h [m, neurons] at the active neurons only: the gate and up part of a sparse
 * block. Like gemv.ts, but the rows of W come from a list; a fixed number of workgroups loops over it. A whole neuron is
 * the work of its lanes: nothing is skipped inside a row. Several rows of the step share a list, the union of their sets:
 * a weight is read once for all of them, and h is 0 where a neuron is not active in a row.
 */
import {
  type Binding,
  type BufferSpec,
  type Condition,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  type ShapeFields,
  type ShapeStore,
  shapeBinding,
  slotStride,
  writes,
} from "../kernel.ts";
import {
  type ActiveList,
  activeNeuron,
  activeRange,
  activeRows,
  activeShape,
  isActive,
} from "./active-list.ts";
import { type WeightCode, weightCode } from "./decode.ts";
import { lanesOf, productWork, type WeightPiece } from "./gemv.ts";
import { joinLanes, laneDeclarations, laneThreads, threadNumber } from "./lane-sums.ts";
import { addUnit, type BatchRows, blockCount, blocksInSource, xRows } from "./row-blocks.ts";

/** Enough workgroups to fill a large card (144 multiprocessors) several times over. */
const maxGroups = 512;

export interface SparseProduct {
  readonly label: string;
  readonly x: BufferSpec;
  readonly piece: WeightPiece;
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

/** The uniform of every form of such a product. */
export function sparseShape({ piece, shapes }: SparseProduct, active: ActiveList): ShapeFields {
  return {
    ...weightCode(piece.type, piece.columns, shapes.features).shape,
    ...activeShape(active),
    neurons_here: piece.rows,
    first_row: piece.firstRow,
    end_row: piece.firstRow + piece.rows,
    x_stride: slotStride(piece.columns) / 4,
    h_stride: slotStride(active.neurons),
  };
}

export function sparseBindings(
  { piece, x, hidden, shapes, bindings }: SparseProduct,
  active: ActiveList,
  shape: ShapeFields,
): readonly Binding[] {
  return [
    shapeBinding(shapes, shape),
    reads("w", "array<vec4<u32>>", piece.buffer),
    reads("x", "array<vec4<f32>>", x),
    reads("list", "array<u32>", active.list),
    reads("lengths", "array<u32>", active.lengths),
    ...(active.tileRows === 1 ? [] : [reads("bits", "array<u32>", active.bits)]),
    writes("hidden", "array<f32>", hidden),
    ...bindings,
  ];
}

export function sparseProduct(
  product: SparseProduct,
  active: ActiveList,
  batch: { readonly rows: BatchRows; readonly when: Condition },
): KernelCall {
  const { piece, isPaired, shapes } = product;
  const code = weightCode(piece.type, piece.columns, shapes.features);
  const lanes = lanesOf(code.units);
  const weights = isPaired ? 2 : 1;
  const blocks = Math.max(1, batch.rows / 4);
  const shape = { ...sparseShape(product, active), lanes, rows: weights * blocks, weights, blocks };
  return kernelCall({
    label: product.label,
    shape,
    features: shapes.features,
    bindings: sparseBindings(product, active, shape),
    groups: [
      fixed(Math.min(maxGroups, Math.ceil(active.neurons / (laneThreads / lanes)))),
      { kind: active.of, per: batch.rows },
      one,
    ],
    when: batch.when,
    body: sparseBody(product, active, { code, weights, batch: batch.rows }),
    work: { ...productWork(product, batch.rows), isListed: true },
  });
}

interface SparseForm {
  readonly code: WeightCode;
  readonly weights: 1 | 2;
  readonly batch: BatchRows;
}

function sparseBody(product: SparseProduct, active: ActiveList, form: SparseForm): string {
  const { piece, shapes } = product;
  const { code, weights, batch } = form;
  const weightAt = (k: string): string => weightOf(product, k);
  const unitSums = { shapes, batch, quads: code.quads, weights, weightAt };
  const blocks = blocksInSource(unitSums);
  const type = batch === 1 ? "f32" : "vec4<f32>";
  const lanes = { shapes, rows: weights * blocks, type } as const;
  const thread = threadNumber(shapes.features);
  const range = activeRange(active, { piece, neurons: active.neurons });
  return /* wgsl */ `${code.functions}${product.functions}${laneDeclarations(lanes)}${range.functions}
@compute @workgroup_size(${laneThreads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, ${thread.parameters}) {
  ${thread.code}
  let per_group = ${laneThreads}u / shape.lanes;
  let range = ${range.code("wg.y")};
  let lane = t % shape.lanes;
  let group = t / shape.lanes;
  let m0 = wg.y * ${active.tileRows}u;
  let rows_here = ${activeRows("wg.y")};
  let count = m0 + rows_here;
  ${xRows(unitSums)}
  for (var first = range.x + wg.x * per_group; first < range.y; first += wgs.x * per_group) {
    let n = ${activeNeuron("wg.y", "min(first + group, range.y - 1u)")};
    var sums = array<${type}, ${lanes.rows}>();
    for (var u = lane; u < shape.units; u += shape.lanes) {
      ${addUnit(unitSums)}
    }
    ${joinLanes(lanes)}
    ${batch === 1 ? storeOne(product) : storeRows(product, blockCount(unitSums))}
    workgroupBarrier();
  }
}
`;
}

function storeOne({ isPaired, value }: SparseProduct): string {
  return `if (lane == 0u && first + group < range.y) {
      let m = wg.y;
      let a = sum_at(0u, group, width);
      ${isPaired ? "let b = sum_at(1u, group, width);" : ""}
      hidden[m * shape.h_stride + n] = ${value};
    }`;
}

/** The lanes of a neuron share out the rows. */
function storeRows({ isPaired, value }: SparseProduct, blocks: string): string {
  return `if (first + group < range.y) {
      for (var i = lane; i < rows_here; i += shape.lanes) {
        let m = m0 + i;
        let a = sum_at(i / 4u, group, width)[i % 4u];
        ${isPaired ? `let b = sum_at(${blocks} + i / 4u, group, width)[i % 4u];` : ""}
        hidden[m * shape.h_stride + n] = ${maskedValue(value)};
      }
    }`;
}

/** h of a neuron that another row of the tile brought into the list is 0. */
export function maskedValue(value: string): string {
  return `select(0.0, ${value}, ${isActive("m", "n")})`;
}

/** Where a thread's k-th row of W begins: of a pair, the second half follows the first. */
function weightOf({ isPaired }: SparseProduct, k: string): string {
  const half = isPaired ? ` + ${k} * shape.neurons_here` : "";
  return `(n - shape.first_row${half}) * shape.row_vec`;
}
