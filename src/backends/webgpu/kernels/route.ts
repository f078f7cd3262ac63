/**
 * The experts of a row by their logits, and their weights: one workgroup for a row. An expert's place is the count of those
 * that come before it, so that the choice never depends on timing. NaN is recognised by its bits: a compiler may assume that
 * there is none.
 */
import { UnsupportedError } from "../../../core/errors.ts";
import { routeCount } from "../../../ops/expert-stack.ts";
import type { OpOf, Router } from "../../../ops/op.ts";
import {
  type BufferSpec,
  type KernelCall,
  kernelCall,
  one,
  reads,
  slotStride,
  writes,
} from "../kernel.ts";
import { floatLiteral, isNan } from "./activation.ts";

const threads = 256;
/** Four bytes of workgroup memory each, of the guaranteed 16 KiB. */
const maxExperts = 2048;

interface RouteBuffers {
  readonly x: BufferSpec;
  readonly out: BufferSpec;
  /** f32 [experts] each. */
  readonly bias?: BufferSpec;
  readonly factors?: BufferSpec;
}

/** @throws UnsupportedError for more experts than workgroup memory holds. */
export function route(op: OpOf<"route">, { x, out, bias, factors }: RouteBuffers): KernelCall {
  const experts = op.x.width;
  if (experts > maxExperts) {
    throw new UnsupportedError(`a router of ${experts} experts on the GPU`, [`1 to ${maxExperts}`]);
  }
  return kernelCall({
    label: `route ${op.out.name}`,
    bindings: [
      reads("x", "array<f32>", x),
      writes("y", "array<f32>", out),
      ...(bias === undefined ? [] : [reads("bias", "array<f32>", bias)]),
      ...(factors === undefined ? [] : [reads("factors", "array<f32>", factors)]),
    ],
    groups: [one, { kind: op.x.rows === "step" ? "rows" : "outputs", per: 1 }, one],
    body: routeBody(op),
  });
}

function routeBody({ x, out, router }: OpOf<"route">): string {
  const used = routeCount(out);
  const { groups, scores, normalise, scale, factors } = router;
  const isSoftmax = scores === "softmax";
  return /* wgsl */ `
const experts = ${x.width}u;
const used = ${used}u;
var<workgroup> choice: array<f32, experts>;
var<workgroup> joined: array<f32, ${threads}>;
var<workgroup> chosen: array<u32, used>;
var<workgroup> raw: array<f32, used>;
var<workgroup> has_nan: atomic<u32>;
${isNan}
fn is_finite(value: f32) -> bool { return (bitcast<u32>(value) & 0x7fffffffu) < 0x7f800000u; }
// e^x of x ≤ 0, 0 in f32 below -120.
fn power(x: f32) -> f32 { return exp(max(x, -120.0)); }
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(clamp(-x, -80.0, 80.0))); }
fn comes_before(j: u32, i: u32) -> bool {
  return choice[j] > choice[i] || (choice[j] == choice[i] && j < i);
}
${groups === undefined ? "" : groupFunctions(x.width, groups)}
${isSoftmax ? joinFunction("largest", "max(a, b)") + joinFunction("total", "a + b") : ""}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let src = wg.y * ${slotStride(x.width)}u;
  let dst = wg.y * ${slotStride(out.width)}u;
  // Workgroup memory begins with anything.
  if (t == 0u) { atomicStore(&has_nan, 0u); }
  if (t < used) { chosen[t] = t; }
  workgroupBarrier();
  ${isSoftmax ? shareOfAll : ""}
  for (var i = t; i < experts; i += ${threads}u) {
    let logit = x[src + i];
    let judged = ${choiceOf(router)};
    if (is_nan(logit) || is_nan(judged)) { atomicStore(&has_nan, 1u); }
    choice[i] = judged;
  }
  workgroupBarrier();
  ${groups === undefined ? "" : keepGroups(groups)}
  for (var i = t; i < experts; i += ${threads}u) {
    var before = 0u;
    for (var j = 0u; j < experts; j++) { before += u32(${groups ? "is_kept(j) && " : ""}comes_before(j, i)); }
    if (${groups ? "is_kept(i) && " : ""}before < used) { chosen[before] = i; }
  }
  workgroupBarrier();
  let is_odd = atomicLoad(&has_nan) == 1u${isSoftmax ? " || !is_finite(most)" : ""};
  for (var k = t; k < used; k += ${threads}u) { raw[k] = ${scoreOf(scores, "x[src + chosen[k]]")}; }
  workgroupBarrier();
  ${scores === "softmax-of-chosen" ? shareOfChosen : "let is_none = false;"}
  var sum = 0.0;
  for (var k = 0u; k < used; k++) { sum += raw[k]; }
  let divisor = ${normalise ? `max(sum, ${floatLiteral(leastSum)})` : "1.0"};
  var nan_bits = 0x7fc00000u;
  for (var k = t; k < used; k += ${threads}u) {
    let id = select(chosen[k], k, is_odd);
    let weight = raw[k] / divisor * ${floatLiteral(scale)}${factors === undefined ? "" : " * factors[id]"};
    y[dst + k] = f32(id);
    y[dst + used + k] = select(weight, bitcast<f32>(nan_bits), is_odd || is_none);
  }
}
`;
}

/** The smallest normal f16, as in llama.cpp. */
const leastSum = 2 ** -14;

/** What weighs an expert before it is normalised, by its logit. */
function scoreOf(scores: Router["scores"], logit: string): string {
  switch (scores) {
    case "softmax":
      return `power(${logit} - most) / sum_of_all`;
    case "sigmoid":
      return `sigmoid(${logit})`;
    case "softmax-of-chosen":
      return logit;
    default:
      return scores satisfies never;
  }
}

/** What experts are compared by: their logits, where nothing else counts. */
function choiceOf({ scores, bias, groups }: Router): string {
  if (bias !== undefined) return `${scoreOf(scores, "logit")} + bias[i]`;
  return groups === undefined ? "logit" : scoreOf(scores, "logit");
}

/** Declares `most` and `sum_of_all`; NaN among the logits is found later. */
const shareOfAll = /* wgsl */ `
  var own = x[src + min(t, experts - 1u)];
  for (var i = t; i < experts; i += ${threads}u) { own = max(own, x[src + i]); }
  let most = largest(t, own);
  var powers = 0.0;
  for (var i = t; i < experts; i += ${threads}u) { powers += power(x[src + i] - most); }
  let sum_of_all = total(t, powers);`;

/** Each thread for itself, in one order. */
const shareOfChosen = /* wgsl */ `
  var most = raw[0];
  for (var k = 1u; k < used; k++) { most = max(most, raw[k]); }
  let is_none = !is_finite(most);
  var powers = 0.0;
  for (var k = 0u; k < used; k++) { powers += power(raw[k] - most); }
  workgroupBarrier();
  for (var k = t; k < used; k += ${threads}u) { raw[k] = power(raw[k] - most) / powers; }
  workgroupBarrier();`;

/** `fn name(t, own)`: of the values of all threads, the same for each; every thread calls it. */
function joinFunction(name: string, join: string): string {
  return /* wgsl */ `
fn ${name}(t: u32, own: f32) -> f32 {
  workgroupBarrier();
  joined[t] = own;
  for (var half_count = ${threads / 2}u; half_count > 0u; half_count /= 2u) {
    workgroupBarrier();
    if (t < half_count) { let a = joined[t]; let b = joined[t + half_count]; joined[t] = ${join}; }
  }
  workgroupBarrier();
  return joined[0];
}`;
}

type Groups = NonNullable<Router["groups"]>;

function groupFunctions(experts: number, { count }: Groups): string {
  return /* wgsl */ `
var<workgroup> of_groups: array<f32, ${count}>;
var<workgroup> kept: array<u32, ${count}>;
fn is_kept(i: u32) -> bool { return kept[i / ${experts / count}u] == 1u; }
// The sum of its two best.
fn group_sum(group: u32) -> f32 {
  let at = group * ${experts / count}u;
  var first = max(choice[at], choice[at + 1u]);
  var second = min(choice[at], choice[at + 1u]);
  for (var i = at + 2u; i < at + ${experts / count}u; i++) {
    second = max(second, min(first, choice[i]));
    first = max(first, choice[i]);
  }
  return first + second;
}`;
}

function keepGroups({ count, used }: Groups): string {
  return /* wgsl */ `
  for (var g = t; g < ${count}u; g += ${threads}u) { of_groups[g] = group_sum(g); }
  workgroupBarrier();
  for (var g = t; g < ${count}u; g += ${threads}u) {
    var before = 0u;
    for (var other = 0u; other < ${count}u; other++) {
      before += u32(of_groups[other] > of_groups[g] || (of_groups[other] == of_groups[g] && other < g));
    }
    kept[g] = u32(before < ${used}u);
  }
  workgroupBarrier();`;
}
