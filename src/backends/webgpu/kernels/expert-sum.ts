/** out (+)= Σ weight·given over the experts of a row, in rising order of their ids: what `experts` does last. */
import type { Into } from "../../../ops/op.ts";
import {
  type BufferSpec,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  type ShapeStore,
  shapeBinding,
  slotStride,
  writes,
} from "../kernel.ts";
import type { ExpertPairs } from "./expert-plan.ts";

export function sumExperts(
  { routes, routeStride, used, of }: ExpertPairs,
  {
    label,
    given,
    out,
    dim,
    into,
    shapes,
  }: {
    readonly label: string;
    /** f32 [pairs, slotStride(dim)]. */
    readonly given: BufferSpec;
    readonly out: BufferSpec;
    readonly dim: number;
    readonly into: Into;
    readonly shapes: ShapeStore;
  },
): KernelCall {
  const shape = { dim, stride: slotStride(dim), route_stride: routeStride };
  return kernelCall({
    label: `${label} sum`,
    shape,
    bindings: [
      shapeBinding(shapes, shape),
      reads("routes", "array<f32>", routes),
      reads("given", "array<f32>", given),
      writes("y", "array<f32>", out),
    ],
    groups: [fixed(Math.ceil(dim / 64)), { kind: of, per: 1 }, one],
    body: /* wgsl */ `
const used = ${used}u;
var<workgroup> order: array<u32, used>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let src = id.y * shape.route_stride;
  for (var k = t; k < used; k += 64u) {
    var before = 0u;
    for (var j = 0u; j < used; j++) {
      let is_lower = routes[src + j] < routes[src + k];
      before += u32(is_lower || (routes[src + j] == routes[src + k] && j < k));
    }
    order[before] = k;
  }
  workgroupBarrier();
  if (id.x >= shape.dim) { return; }
  var sum = 0.0;
  for (var i = 0u; i < used; i++) {
    let k = order[i];
    sum += routes[src + used + k] * given[(id.y * used + k) * shape.stride + id.x];
  }
  y[id.y * shape.stride + id.x] ${into === "add" ? "+=" : "="} sum;
}
`,
  });
}
