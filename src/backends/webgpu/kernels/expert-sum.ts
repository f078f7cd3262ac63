/** out (+)= Σ weight·given over the experts of a row that are here, in rising order of their ids: what `experts` does last. */
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
import type { CountPlace } from "./compact.ts";
import { type ExpertPairs, expertNumber, notHere, placeBindings } from "./expert-plan.ts";

export function sumExperts(
  pairs: ExpertPairs,
  {
    label,
    given,
    out,
    dim,
    into,
    shapes,
    counting,
  }: {
    readonly label: string;
    /** f32 [pairs, slotStride(dim)]. */
    readonly given: BufferSpec;
    readonly out: BufferSpec;
    readonly dim: number;
    readonly into: Into;
    readonly shapes: ShapeStore;
    /** Where the neurons of the row's experts that are here are counted, of so many each. Where all are here, nothing is. */
    readonly counting?: { readonly place: CountPlace; readonly neurons: number };
  },
): KernelCall {
  const { routes, routeStride, used, of, places } = pairs;
  const counted = counting && {
    count_stride: counting.place.ops,
    count_at: counting.place.op,
    neurons: counting.neurons,
  };
  const shape = { dim, stride: slotStride(dim), route_stride: routeStride, ...counted };
  const number = expertNumber(pairs, "routes[src + k]");
  return kernelCall({
    label: `${label} sum`,
    shape,
    bindings: [
      shapeBinding(shapes, shape),
      reads("routes", "array<f32>", routes),
      reads("given", "array<f32>", given),
      ...placeBindings(pairs),
      ...(counting === undefined ? [] : [writes("counts", "array<u32>", counting.place.counts)]),
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
  var found = 0u;
  for (var i = 0u; i < used; i++) {
    let k = order[i];
    ${places === undefined ? "" : `if (${number} == ${notHere}u) { continue; }`}
    found++;
    sum += routes[src + used + k] * given[(id.y * used + k) * shape.stride + id.x];
  }
  y[id.y * shape.stride + id.x] ${into === "add" ? "+=" : "="} sum;
  ${counting === undefined ? "" : "if (id.x == 0u) { counts[id.y * shape.count_stride + shape.count_at] = found * shape.neurons; }"}
}
`,
  });
}
