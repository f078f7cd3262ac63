/**
 * How the threads that share a row join their sums. Plain: all through workgroup memory, eight lanes taking over the
 * others'. With subgroups: neighbours add up in registers first, then one thread of each subgroup writes.
 * Both in a fixed order. The running kernel reads the subgroup's size: any power of two.
 */
import { type KernelFeatures, repeat, type ShapeStore } from "../kernel.ts";

/** Threads of a workgroup whose lanes meet here. */
export const laneThreads = 64;

/** Declarations of main's parameters that give each thread its number `t`, and the statement that makes it. */
export function threadNumber({ subgroups }: KernelFeatures): {
  readonly parameters: string;
  readonly code: string;
} {
  if (!subgroups) return { parameters: "@builtin(local_invocation_index) t: u32", code: "" };
  return {
    // Counted by subgroup: which threads form one is the driver's choice.
    parameters:
      "@builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) in_subgroup: u32, @builtin(subgroup_size) subgroup_threads: u32",
    code: "let t = subgroup * subgroup_threads + in_subgroup;",
  };
}

interface LaneSums {
  readonly shapes: ShapeStore;
  /** Sums of a thread, an array `sums` of this many. */
  readonly rows: number;
  readonly type: "f32" | "vec4<f32>";
}

/** `lane_sums` and `fn sum_at(k, group)`: sum k of the group-th set of `shape.lanes` threads. */
export function laneDeclarations({ shapes, rows, type }: LaneSums): string {
  const { subgroups } = shapes.features;
  const step = subgroups ? "width" : "1u";
  const end = subgroups ? "shape.lanes" : "min(shape.lanes, 8u)";
  return /* wgsl */ `
var<workgroup> lane_sums: array<${type}, ${rows * laneThreads}>;
fn sum_at(k: u32, group: u32, width: u32) -> ${type} {
  let at = k * ${laneThreads}u + group * shape.lanes;
  var sum = ${type}();
  for (var i = 0u; i < ${end}; i += ${step}) { sum += lane_sums[at + i]; }
  return sum;
}`;
}

/** Statements that bring `sums` to where sum_at finds them; every thread runs them. Sets `width` for sum_at. */
export function joinLanes(join: LaneSums): string {
  return join.shapes.features.subgroups ? joinInSubgroups(join) : joinInMemory(join);
}

function joinInSubgroups({ shapes, rows }: LaneSums): string {
  const each = (body: (k: string) => string): string =>
    repeat(shapes, { index: "k", field: "rows", count: rows }, body);
  return /* wgsl */ `
  let width = min(shape.lanes, subgroup_threads);
  for (var step = 1u; step < width; step *= 2u) {
    ${each((k) => `sums[${k}] += subgroupShuffleXor(sums[${k}], step);`)}
  }
  if (t % width == 0u) {
    ${each((k) => `lane_sums[${k} * ${laneThreads}u + t] = sums[${k}];`)}
  }
  workgroupBarrier();`;
}

function joinInMemory({ shapes, rows, type }: LaneSums): string {
  return /* wgsl */ `
  let width = 8u;
  ${repeat(shapes, { index: "k", field: "rows", count: rows }, (k) => `lane_sums[${k} * ${laneThreads}u + t] = sums[${k}];`)}
  workgroupBarrier();
  // The first eight lanes take over the sums of the others: lane l those of l + 8, l + 16, …
  let lane_of_row = t % shape.lanes;
  if (lane_of_row < 8u && shape.lanes > 8u) {
    for (var k = 0u; k < ${rows}u; k++) {
      var sum = ${type}();
      for (var i = lane_of_row; i < shape.lanes; i += 8u) { sum += lane_sums[k * ${laneThreads}u + t - lane_of_row + i]; }
      lane_sums[k * ${laneThreads}u + t] = sum;
    }
  }
  workgroupBarrier();`;
}
