/**
 * Pairs of a row and an expert that it is routed to, ordered by expert on the card: a counting sort of one workgroup. Each
 * expert's pairs are cut into tiles, so that products decode its weights once for a tile; pairs of experts that are not here are left out. A thread looks for the pairs of its
 * own experts in the order of the rows: nothing depends on timing, and nothing is read back.
 */
import type { Bytes } from "../../../core/units.ts";
import {
  type Binding,
  type BufferSpec,
  type Condition,
  type Extent,
  type KernelCall,
  kernelCall,
  one,
  reads,
  type ShapeStore,
  shapeBinding,
  stepType,
  writes,
} from "../kernel.ts";
import { tileCount } from "../run-shape.ts";

const threads = 256;

/** The pairs of a step: `used` a row, pair row·used + k for the k-th choice of a row. Some may be of experts that are not here. */
export interface ExpertPairs {
  /** As the op `route` writes them. */
  readonly routes: BufferSpec;
  readonly routeStride: number;
  readonly used: number;
  /** That the router chooses from, and those of them that are here: their matrices lie one behind the other. */
  readonly all: number;
  readonly experts: number;
  /** u32 by id: which of those here it is, or `notHere`. Absent: all are here, in order. */
  readonly places?: BufferSpec;
  readonly of: "rows" | "outputs";
  /** Of a step. */
  readonly maxRows: number;
}

/** In place of the number of an expert that another device has. */
export const notHere = 0xffffffff;

/** WGSL of the number, among those here, of an expert with this id as f32; and the binding that it reads. */
export function expertNumber({ places }: ExpertPairs, id: string): string {
  return places === undefined ? `u32(${id})` : `places[u32(${id})]`;
}

export function placeBindings({ places }: ExpertPairs): readonly Binding[] {
  return places === undefined ? [] : [reads("places", "array<u32>", places)];
}

/**
 * u32 words: the numbers of the pairs, ordered by expert; then, from word `maxPairs` on, the tiles, three words each: expert,
 * first of its pairs in that order, and how many (0 behind the last tile).
 */
export interface ExpertPlan {
  readonly buffer: BufferSpec;
  readonly maxPairs: number;
  /** Pairs of a tile. */
  readonly per: number;
}

export function planBytes({ maxRows, used, experts }: ExpertPairs, per: number): Bytes {
  return 4 * (maxRows * used + 3 * tileCount(maxRows, { used, experts, per }));
}

/** Tiles of so many pairs that a step has at most. */
export function tilesOf({ of, used, experts }: ExpertPairs, per: number): Extent {
  return { kind: "tiles", of, used, experts, per };
}

export function planExperts(
  pairs: ExpertPairs,
  plan: ExpertPlan,
  { step, shapes, when }: { step: BufferSpec; shapes: ShapeStore; when: Condition },
): KernelCall {
  const { routes, routeStride, used, experts, of } = pairs;
  const shape = { used, route_stride: routeStride, tiles_at: plan.maxPairs, per: plan.per };
  return kernelCall({
    label: `experts in tiles of ${plan.per}`,
    shape,
    bindings: [
      shapeBinding(shapes, shape),
      reads("step", stepType, step),
      reads("routes", "array<f32>", routes),
      ...placeBindings(pairs),
      writes("plan", "array<u32>", plan.buffer),
    ],
    groups: [one, one, one],
    when,
    body: /* wgsl */ `
const experts = ${experts}u;
var<workgroup> firsts: array<u32, experts>; // pairs of an expert; then where the next of them goes
var<workgroup> ids: array<u32, ${threads}>;
fn load(t: u32, base: u32, pairs: u32) {
  workgroupBarrier();
  let pair = min(base + t, pairs - 1u);
  ids[t] = ${expertNumber(pairs, "routes[(pair / shape.used) * shape.route_stride + pair % shape.used]")};
  workgroupBarrier();
}
@compute @workgroup_size(${threads})
fn main(@builtin(local_invocation_index) t: u32) {
  let pairs = step.${of} * shape.used;
  for (var e = t; e < experts; e += ${threads}u) { firsts[e] = 0u; }
  for (var base = 0u; base < pairs; base += ${threads}u) {
    load(t, base, pairs);
    for (var e = t; e < experts; e += ${threads}u) {
      var count = 0u;
      for (var i = 0u; i < min(${threads}u, pairs - base); i++) { count += u32(ids[i] == e); }
      firsts[e] += count;
    }
  }
  workgroupBarrier();
  if (t == 0u) {
    var first = 0u;
    var at = shape.tiles_at;
    for (var e = 0u; e < experts; e++) {
      let end = first + firsts[e];
      firsts[e] = first;
      for (; first < end; first = min(first + shape.per, end)) {
        plan[at] = e;
        plan[at + 1u] = first;
        plan[at + 2u] = min(shape.per, end - first);
        at += 3u;
      }
    }
    // As many as are dispatched.
    let tiles = (pairs + min(pairs, experts) * (shape.per - 1u)) / shape.per;
    for (; at < shape.tiles_at + 3u * tiles; at += 3u) { plan[at + 2u] = 0u; }
  }
  for (var base = 0u; base < pairs; base += ${threads}u) {
    load(t, base, pairs);
    for (var e = t; e < experts; e += ${threads}u) {
      var at = firsts[e];
      for (var i = 0u; i < min(${threads}u, pairs - base); i++) {
        if (ids[i] == e) { plan[at] = base + i; at++; }
      }
      firsts[e] = at;
    }
  }
}
`,
  });
}
