/**
 * The k largest of a row with their indices, falling, the lower index first on a tie. One workgroup for a row:
 * a radix select (8 bits a pass, Alabi et al., "Fast k-selection algorithms for graphics processing units", JEA 2012)
 * over the value's bits and then the index's, which ends as soon as a digit's bin holds just what is still wanted.
 */
import { UnsupportedError } from "../../../core/errors.ts";
import type { OpOf } from "../../../ops/op.ts";
import {
  type BufferSpec,
  type KernelCall,
  kernelCall,
  one,
  reads,
  slotStride,
  writes,
} from "../kernel.ts";

/** Threads, and bins of a digit. The k-th largest of the threads' own largest bounds the k-th of all: k ≤ threads. */
const threads = 256;

export function topK(op: OpOf<"top-k">, x: BufferSpec, out: BufferSpec): KernelCall {
  const k = op.out.width / 2;
  if (k > threads) throw new UnsupportedError(`top-k of ${k} on the GPU`, [`1 to ${threads}`]);
  return kernelCall({
    label: "top-k",
    bindings: [reads("x", "array<f32>", x), writes("y", "array<f32>", out)],
    groups: [one, { kind: op.x.rows === "step" ? "rows" : "outputs", per: 1 }, one],
    body: topKBody({ k, width: op.x.width, stride: slotStride(op.out.width) }),
  });
}

function topKBody({
  k,
  width,
  stride,
}: {
  readonly k: number;
  readonly width: number;
  readonly stride: number;
}): string {
  return /* wgsl */ `
struct Bound { value: u32, index: u32 } // an element is taken iff (value, index) >= these
struct Choice { digit: u32, left: u32, is_exact: u32 }
var<workgroup> bins: array<atomic<u32>, ${threads}>;
var<workgroup> largest: array<u32, ${threads}>;
var<workgroup> lowest: u32;
var<workgroup> choice: Choice;
var<workgroup> taken: atomic<u32>;
var<workgroup> taken_index: array<u32, ${k}>;
var<workgroup> taken_value: array<u32, ${k}>;
// Rises with the value; both zeros are equal; NaN, recognised by its bits since a compiler may assume that there is none, is highest.
fn value_order(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0xffffffffu; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u && size != 0u);
}
// Falls with the index: 24 bits, as f32 holds them.
fn index_order(index: u32) -> u32 { return 0xffffffu - index; }
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let src = wg.y * ${slotStride(width)}u;
  var own = 0u;
  for (var i = t; i < ${width}u; i += ${threads}u) { own = max(own, value_order(x[src + i])); }
  largest[t] = own;
  if (t == 0u) { atomicStore(&taken, 0u); }
  workgroupBarrier();
  var above = 0u;
  for (var i = 0u; i < ${threads}u; i++) {
    if (largest[i] > own || (largest[i] == own && i < t)) { above++; }
  }
  if (above == ${k - 1}u) { lowest = own; }
  let floor = workgroupUniformLoad(&lowest);
  var bound = Bound(0u, 0u);
  var mask = Bound(0u, 0u);
  var wanted = ${k}u;
  for (var pass_index = 0u; pass_index < 7u; pass_index++) {
    let of_value = pass_index < 4u;
    let shift = select(48u - 8u * pass_index, 24u - 8u * pass_index, of_value);
    atomicStore(&bins[t], 0u);
    workgroupBarrier();
    for (var i = t; i < ${width}u; i += ${threads}u) {
      let value = value_order(x[src + i]);
      let index = index_order(i);
      if (value >= floor && (value & mask.value) == bound.value && (index & mask.index) == bound.index) {
        atomicAdd(&bins[(select(index, value, of_value) >> shift) & 255u], 1u);
      }
    }
    workgroupBarrier();
    if (t == 0u) {
      var left = wanted;
      var digit = 255u;
      var count = atomicLoad(&bins[digit]);
      while (count < left && digit > 0u) {
        left -= count;
        digit--;
        count = atomicLoad(&bins[digit]);
      }
      choice = Choice(digit, left, u32(count == left));
    }
    let chosen = workgroupUniformLoad(&choice);
    wanted = chosen.left;
    if (of_value) {
      bound.value |= chosen.digit << shift;
      mask.value |= 255u << shift;
    } else {
      bound.index |= chosen.digit << shift;
      mask.index |= 255u << shift;
    }
    if (chosen.is_exact == 1u) { break; }
  }
  for (var i = t; i < ${width}u; i += ${threads}u) {
    let value = value_order(x[src + i]);
    let is_bounded = value > bound.value || (value == bound.value && index_order(i) >= bound.index);
    // Values below the floor were not counted when the bound was found.
    if (value >= floor && is_bounded) {
      let place = atomicAdd(&taken, 1u);
      if (place < ${k}u) {
        taken_index[place] = i;
        taken_value[place] = value;
      }
    }
  }
  workgroupBarrier();
  if (t >= ${k}u) { return; }
  var rank = 0u;
  for (var i = 0u; i < ${k}u; i++) {
    let is_larger = taken_value[i] > taken_value[t];
    if (is_larger || (taken_value[i] == taken_value[t] && taken_index[i] < taken_index[t])) { rank++; }
  }
  let at = wg.y * ${stride}u + 2u * rank;
  y[at] = f32(taken_index[t]);
  y[at + 1u] = x[src + taken_index[t]];
}
`;
}
