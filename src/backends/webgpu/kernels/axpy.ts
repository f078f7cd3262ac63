/**
 * y [m, dim] = h [m, neurons] @ W [neurons, dim], a neuron being a row of W (ffn_down_t): over all neurons or over
 * the active ones only. A workgroup of 256 threads owns 64 columns; its threads share out the list of neurons and
 * their sums meet in workgroup memory in a fixed order, so every result is written once: no atomic adds.
 */
import {
  type BufferSpec,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  slotStride,
} from "../kernel.ts";
import { weightCode } from "./decode.ts";
import { type Epilogue, epilogueBindings, epilogueCode } from "./epilogue.ts";
import type { WeightPiece } from "./gemv.ts";
import { type ActiveList, activeCount, activeNeuron } from "./sparse.ts";

const threads = 256;
const columnsPerGroup = 64;

export interface Axpy {
  readonly label: string;
  readonly hidden: BufferSpec;
  readonly neurons: number;
  readonly piece: WeightPiece;
  /** Absent: all neurons. */
  readonly active?: ActiveList;
  readonly epilogue: Epilogue;
  readonly of: "rows" | "outputs";
}

export function axpy({ label, hidden, neurons, piece, active, epilogue, of }: Axpy): KernelCall {
  const code = weightCode(piece.type, piece.columns);
  const units = Math.max(1, columnsPerGroup / (code.quads * 4));
  const lanes = threads / units;
  const quads = [...Array(code.quads).keys()];
  const lists =
    active === undefined
      ? []
      : [reads("list", "array<u32>", active.list), reads("counts", "array<u32>", active.counts)];
  const range = `n >= ${piece.firstRow}u && n < ${piece.firstRow + piece.rows}u`;
  const loop =
    active === undefined
      ? `for (var n = ${piece.firstRow}u + lane; n < ${piece.firstRow + piece.rows}u; n += ${lanes}u) {`
      : `let count = ${activeCount(active, "m")};
    for (var i = lane; i < count; i += ${lanes}u) {
      let n = ${activeNeuron(active, "m", "i")};
      if (!(${range})) { continue; }`;
  return kernelCall({
    label,
    bindings: [
      reads("w", "array<vec4<u32>>", piece.buffer),
      reads("h", "array<f32>", hidden),
      ...lists,
      ...epilogueBindings(epilogue),
    ],
    groups: [fixed(Math.ceil(code.units / units)), { kind: of, per: 1 }, one],
    body: /* wgsl */ `${code.functions}${epilogueCode(epilogue)}
var<workgroup> sums: array<vec4<f32>, ${threads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m = wg.y;
  let u = wg.x * ${units}u + t % ${units}u;
  let lane = t / ${units}u;
  ${quads.map((q) => `var acc${q} = vec4<f32>();`).join(" ")}
  if (u < ${code.units}u) {
    ${loop}
      let d = decode((n - ${piece.firstRow}u) * ROWVEC, u);
      let a = h[m * ${slotStride(neurons)}u + n];
      ${quads.map((q) => `acc${q} += a * d[${q}];`).join(" ")}
    }
  }
  ${quads.map((q) => joinLanes(q, { units, lanes, unitCount: code.units, column: code.quadAt("u", q), width: piece.columns })).join("\n  ")}
}
`,
  });
}

interface LaneShape {
  readonly units: number;
  readonly lanes: number;
  readonly unitCount: number;
  readonly column: string;
  readonly width: number;
}

/** Adds up one quad of all lanes, in two steps of √lanes, and stores its four columns. */
function joinLanes(q: number, { units, lanes, unitCount, column, width }: LaneShape): string {
  const first = Math.min(8, lanes);
  return `sums[t] = acc${q};
  workgroupBarrier();
  if (lane < ${first}u) {
    var sum = sums[t];
    for (var i = lane + ${first}u; i < ${lanes}u; i += ${first}u) { sum += sums[t % ${units}u + i * ${units}u]; }
    sums[t] = sum;
  }
  workgroupBarrier();
  if (lane == 0u && u < ${unitCount}u) {
    var sum = sums[t];
    for (var i = 1u; i < ${first}u; i++) { sum += sums[t + i * ${units}u]; }
    let c = 4u * (${column});
    for (var i = 0u; i < 4u; i++) { if (c + i < ${width}u) { store(c + i, m, sum[i]); } }
  }
  workgroupBarrier();`;
}
