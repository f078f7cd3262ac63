/**
 * y [m, dim] = h [m, neurons] @ W [neurons, dim], a neuron being a row of W (ffn_down_t): over all neurons or over
 * the active ones only. A workgroup of 64 threads owns 32 columns; its threads share out the list of neurons and
 * their sums meet in workgroup memory in a fixed order, so every result is written once: no atomic adds.
 */
import {
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
} from "../kernel.ts";
import { type WeightCode, weightCode } from "./decode.ts";
import { type Epilogue, epilogueBindings, epilogueCode, epilogueShape } from "./epilogue.ts";
import type { WeightPiece } from "./gemv.ts";
import { type ActiveList, activeCount, activeNeuron, activeShape } from "./sparse.ts";

const threads = 64;
const quadsPerGroup = 8;
/** Threads that share the last sums of a quad. */
const parts = threads / quadsPerGroup;

export interface Axpy {
  readonly label: string;
  readonly hidden: BufferSpec;
  readonly neurons: number;
  readonly piece: WeightPiece;
  /** Absent: all neurons. */
  readonly active?: ActiveList;
  readonly epilogue: Epilogue;
  readonly shapes: ShapeStore;
  readonly of: "rows" | "outputs";
}

export function axpy(of: Axpy): KernelCall {
  const { label, hidden, neurons, piece, active, epilogue, shapes } = of;
  const code = weightCode(piece.type, piece.columns, shapes.features);
  const units = unitsOf(code);
  const lists =
    active === undefined
      ? []
      : [reads("list", "array<u32>", active.list), reads("counts", "array<u32>", active.counts)];
  const shape = {
    ...code.shape,
    columns: piece.columns,
    first_row: piece.firstRow,
    end_row: piece.firstRow + piece.rows,
    h_stride: slotStride(neurons),
    ...(active === undefined ? {} : activeShape(active)),
    ...epilogueShape(epilogue),
  };
  return kernelCall({
    label,
    shape,
    features: shapes.features,
    bindings: [
      shapeBinding(shapes, shape),
      reads("w", "array<vec4<u32>>", piece.buffer),
      reads("h", "array<f32>", hidden),
      ...lists,
      ...epilogueBindings(epilogue),
    ],
    groups: [fixed(Math.ceil(code.units / units)), { kind: of.of, per: 1 }, one],
    body: `${code.functions}${epilogueCode(epilogue)}${axpyBody(of, code)}`,
  });
}

/** Units of a row that a workgroup owns. */
function unitsOf({ quads }: WeightCode): number {
  return Math.max(1, quadsPerGroup / quads);
}

/** From a thread's first neuron to the braces of a loop over all of its, `n`. */
function neuronLoop({ active }: Axpy, lanes: number): string {
  if (active === undefined) {
    return `for (var n = shape.first_row + lane; n < shape.end_row; n += ${lanes}u) {`;
  }
  return `let count = ${activeCount("m")};
    for (var i = lane; i < count; i += ${lanes}u) {
      let n = ${activeNeuron("m", "i")};
      if (!(n >= shape.first_row && n < shape.end_row)) { continue; }`;
}

function axpyBody(of: Axpy, code: WeightCode): string {
  const units = unitsOf(code);
  const lanes = threads / units;
  const eachQuad = (body: (q: string) => string): string =>
    repeat(of.shapes, { index: "q", field: "quads", count: code.quads }, body);
  return /* wgsl */ `
var<workgroup> sums: array<vec4<f32>, ${threads * code.quads}>;
var<workgroup> joined: array<vec4<f32>, ${threads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m = wg.y;
  let u = wg.x * ${units}u + t % ${units}u;
  let lane = t / ${units}u;
  var own: array<vec4<f32>, ${code.quads}>;
  if (u < shape.units) {
    ${neuronLoop(of, lanes)}
      var d = decode((n - shape.first_row) * shape.row_vec, u);
      let a = h[m * shape.h_stride + n];
      ${eachQuad((q) => `own[${q}] += a * d[${q}];`)}
    }
  }
  ${eachQuad((q) => `sums[${q} * ${threads}u + t] = own[${q}];`)}
  workgroupBarrier();
  // Thread t adds up every ${parts}th lane of one quad, from lane t / ${quadsPerGroup} on.
  let unit = t % ${units}u;
  let q = (t / ${units}u) % ${code.quads}u;
  var part = vec4<f32>();
  for (var i = t / ${quadsPerGroup}u; i < ${lanes}u; i += ${parts}u) { part += sums[q * ${threads}u + i * ${units}u + unit]; }
  joined[t] = part;
  workgroupBarrier();
  if (t >= ${quadsPerGroup}u || u >= shape.units) { return; }
  var sum = joined[t];
  for (var i = 1u; i < ${parts}u; i++) { sum += joined[t + i * ${quadsPerGroup}u]; }
  let c = 4u * quad_at(u, q);
  for (var i = 0u; i < 4u; i++) { if (c + i < shape.columns) { store(c + i, m, sum[i]); } }
}
`;
}
