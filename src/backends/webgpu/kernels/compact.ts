/**
 * From the scores of the neurons to the lists of the active ones, over the whole card in two passes: a bit for each
 * neuron of each row, then for each tile of rows the sorted list of the neurons that are active in one of them. A workgroup
 * of the second pass counts the bits that lie before its own, so that none waits for another. Nothing depends on timing, and
 * nothing is read back: kernels behind it loop over a list up to a count that lies beside it.
 */
import { activeWidth, neuronsPerElement } from "../../../ops/active-bits.ts";
import type { SparsityMethod } from "../../../ops/op.ts";
import {
  type Binding,
  type BufferSpec,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  type ShapeFields,
  type ShapeStore,
  shapeBinding,
  slotStride,
  stepType,
  writes,
} from "../kernel.ts";
import { floatLiteral } from "./activation.ts";
import {
  type ActiveList,
  type ActiveSet,
  activeNeuron,
  activeShape,
  bitsPerGroup,
  bitWords,
} from "./active-list.ts";

export interface Scores {
  readonly method: Exclude<SparsityMethod, { kind: "dense" | "given" }>;
  readonly score: BufferSpec; // f32 [rows, neurons]
  readonly shapes: ShapeStore;
  /** h of the neurons that are not active becomes 0 here (may be `score`), for readers of all of h. */
  readonly zero?: BufferSpec;
  /** f32 [neurons]: norms of down rows for threshold-output, margins of single neurons for sign. */
  readonly byNeuron?: BufferSpec;
}

/** Whether a neuron is active, as WGSL of its score s and id n. */
function predicate(method: Scores["method"]): string {
  switch (method.kind) {
    case "gate":
      return "s != 0.0";
    case "mlp":
      return `s >= ${floatLiteral(method.threshold)}`;
    case "sign":
      return method.margins === undefined
        ? `s >= ${floatLiteral(method.margin)}`
        : "s >= by_neuron[n]";
    case "threshold-gate":
      return `abs(s) >= ${floatLiteral(method.value)}`;
    case "threshold-output":
      return `abs(s) * by_neuron[n] >= ${floatLiteral(method.value)}`;
    default:
      return method satisfies never;
  }
}

/** bits[m, n] = active(score[m, n]): a thread for each neuron. */
export function activeBits(
  { method, score, zero, byNeuron, shapes }: Scores,
  active: ActiveSet,
): KernelCall {
  const isInPlace = zero === score;
  const name = isInPlace ? "score" : "zeroed";
  return bitsKernel(active, {
    label: `active ${method.kind}`,
    shapes,
    fields: {},
    bindings: [
      isInPlace ? writes("score", "array<f32>", score) : reads("score", "array<f32>", score),
      ...(zero === undefined || isInPlace ? [] : [writes("zeroed", "array<f32>", zero)]),
      ...(byNeuron === undefined ? [] : [reads("by_neuron", "array<f32>", byNeuron)]),
    ],
    isActive: `let s = score[m * shape.stride + n]; return ${predicate(method)};`,
    clear: zero === undefined ? "" : `${name}[m * shape.stride + n] = 0.0;`,
  });
}

/** An active set of all neurons of the block, from a slot (ops/active-bits.ts). */
export interface GivenSet {
  readonly given: BufferSpec; // f32 [rows, width]
  readonly width: number;
  /** u32 [neurons]: ids of this device's neurons; absent: their places. */
  readonly ids?: BufferSpec;
  readonly zero?: BufferSpec;
  readonly shapes: ShapeStore;
}

/** bits[m, n] = the bit of neuron ids[n] in row m of the given set. */
export function givenBits(
  { given, width, ids, zero, shapes }: GivenSet,
  active: ActiveSet,
): KernelCall {
  return bitsKernel(active, {
    label: "active given",
    shapes,
    fields: { given_stride: slotStride(width) },
    bindings: [
      reads("given", "array<f32>", given),
      ...(ids === undefined ? [] : [reads("ids", "array<u32>", ids)]),
      ...(zero === undefined ? [] : [writes("zeroed", "array<f32>", zero)]),
    ],
    isActive: `let id = ${ids === undefined ? "n" : "ids[n]"};
  let element = u32(given[m * shape.given_stride + id / ${neuronsPerElement}u]);
  return ((element >> (id % ${neuronsPerElement}u)) & 1u) == 1u;`,
    clear: zero === undefined ? "" : "zeroed[m * shape.stride + n] = 0.0;",
  });
}

/** One bit for each neuron of each row. */
function bitsKernel(
  active: ActiveSet,
  kernel: {
    readonly label: string;
    readonly shapes: ShapeStore;
    readonly fields: ShapeFields;
    readonly bindings: readonly Binding[];
    /** Body of `fn is_active(m: u32, n: u32) -> bool`. */
    readonly isActive: string;
    /** What is done for a neuron n of row m that is not active. */
    readonly clear: string;
  },
): KernelCall {
  const { neurons } = active;
  const { label, shapes, fields, bindings, isActive, clear } = kernel;
  const shape = { ...activeShape(active), stride: slotStride(neurons), ...fields };
  return kernelCall({
    label,
    shape,
    bindings: [shapeBinding(shapes, shape), writes("bits", "array<u32>", active.bits), ...bindings],
    groups: [fixed(Math.ceil(neurons / bitsPerGroup)), { kind: active.of, per: 1 }, one],
    body: /* wgsl */ `
var<workgroup> words: array<atomic<u32>, ${bitsPerGroup / 32}>;
fn is_active(m: u32, n: u32) -> bool {
  ${isActive}
}
@compute @workgroup_size(${bitsPerGroup})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  // WGSL says that they begin as 0; SwiftShader keeps those of the last workgroup.
  if (t < ${bitsPerGroup / 32}u) { atomicStore(&words[t], 0u); }
  workgroupBarrier();
  let n = wg.x * ${bitsPerGroup}u + t;
  let m = wg.y;
  if (n < shape.neurons) {
    if (is_active(m, n)) { atomicOr(&words[t / 32u], 1u << (t % 32u)); } else { ${clear} }
  }
  workgroupBarrier();
  if (t < ${bitsPerGroup / 32}u) {
    bits[m * shape.bit_words + wg.x * ${bitsPerGroup / 32}u + t] = atomicLoad(&words[t]);
  }
}
`,
  });
}

const elementsPerGroup = 64;

/** out[m] = the active set of row m as a slot has it (ops/active-bits.ts): a thread for each element. */
export function predictedSet(
  { method, score, byNeuron, shapes }: Omit<Scores, "zero">,
  into: { readonly out: BufferSpec; readonly neurons: number; readonly of: "rows" | "outputs" },
): KernelCall {
  const width = activeWidth(into.neurons);
  const shape = {
    neurons: into.neurons,
    stride: slotStride(into.neurons),
    elements: width,
    out_stride: slotStride(width),
  };
  return kernelCall({
    label: `predict ${method.kind}`,
    shape,
    bindings: [
      shapeBinding(shapes, shape),
      reads("score", "array<f32>", score),
      writes("out", "array<f32>", into.out),
      ...(byNeuron === undefined ? [] : [reads("by_neuron", "array<f32>", byNeuron)]),
    ],
    groups: [fixed(Math.ceil(width / elementsPerGroup)), { kind: into.of, per: 1 }, one],
    body: /* wgsl */ `
fn is_active(s: f32, n: u32) -> bool { return ${predicate(method)}; }
@compute @workgroup_size(${elementsPerGroup})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let element = wg.x * ${elementsPerGroup}u + t;
  if (element >= shape.elements) { return; }
  let first = element * ${neuronsPerElement}u;
  let end = min(first + ${neuronsPerElement}u, shape.neurons);
  var found = 0u;
  for (var n = first; n < end; n++) {
    if (is_active(score[wg.y * shape.stride + n], n)) { found |= 1u << (n - first); }
  }
  out[wg.y * shape.out_stride + element] = f32(found);
}
`,
  });
}

/** Threads of a workgroup that makes a stretch of a list, and the words of bits in it: a thread for each four neurons. */
const threads = 256;
const stretchWords = 32;

/** Where the counts of single rows go: u32 [rows, ops]. */
export interface CountPlace {
  readonly counts: BufferSpec;
  readonly ops: number;
  readonly op: number;
}

/**
 * list[tile] = the n that are active in a row of the tile, rising, their number, and how many of them each row has. The
 * last workgroup of a tile counts its rows.
 */
export function activeList(
  active: ActiveList,
  {
    shapes,
    step,
    place,
  }: {
    readonly shapes: ShapeStore;
    readonly step: BufferSpec;
    readonly place: CountPlace;
  },
): KernelCall {
  const { neurons, tileRows, of, when } = active;
  const words = bitWords(neurons);
  const stretches = Math.ceil(words / stretchWords);
  const shape = {
    ...activeShape(active),
    tile_rows: tileRows,
    stretches,
    count_stride: place.ops,
    count_at: place.op,
  };
  return kernelCall({
    label: `active list of ${tileRows}`,
    shape,
    bindings: [
      shapeBinding(shapes, shape),
      reads("step", stepType, step),
      reads("bits", "array<u32>", active.bits),
      writes("list", "array<u32>", active.list),
      writes("lengths", "array<u32>", active.lengths),
      writes("counts", "array<u32>", place.counts),
    ],
    groups: [fixed(stretches + 1), { kind: of, per: tileRows }, one],
    when,
    body: /* wgsl */ `
var<workgroup> found: array<u32, ${threads}>;
var<workgroup> own: array<u32, ${stretchWords}>;
fn in_tile(m0: u32, end: u32, word: u32) -> u32 {
  var any = 0u;
  for (var m = m0; m < end; m++) { any |= bits[m * shape.bit_words + word]; }
  return any;
}
// Each row's own count: threads share out its words.
fn count_rows(m0: u32, end: u32, t: u32) {
  let sharers = ${threads}u / shape.tile_rows;
  let m = m0 + t / sharers;
  var count = 0u;
  if (m < end) {
    for (var word = t % sharers; word < shape.bit_words; word += sharers) {
      count += countOneBits(bits[m * shape.bit_words + word]);
    }
  }
  found[t] = count;
  for (var half = sharers / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t % sharers < half) { found[t] += found[t + half]; }
  }
  if (m < end && t % sharers == 0u) { counts[m * shape.count_stride + shape.count_at] = found[t]; }
}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let tile = wg.y;
  let m0 = tile * shape.tile_rows;
  let end = min(m0 + shape.tile_rows, step.${of});
  if (wg.x == shape.stretches) {
    count_rows(m0, end, t);
    return;
  }
  let first = wg.x * ${stretchWords}u;
  var before = 0u;
  for (var word = t; word < first; word += ${threads}u) { before += countOneBits(in_tile(m0, end, word)); }
  found[t] = before;
  if (t < ${stretchWords}u) {
    own[t] = 0u;
    if (first + t < shape.bit_words) { own[t] = in_tile(m0, end, first + t); }
  }
  workgroupBarrier();
  if (t < 16u) {
    var sum = 0u;
    for (var i = 0u; i < 16u; i++) { sum += found[t + i * 16u]; }
    found[t] = sum;
  }
  workgroupBarrier();
  var at = 0u;
  for (var i = 0u; i < 16u; i++) { at += found[i]; }
  // Thread t writes the neurons of one nibble: word t / 8, bits 4·(t % 8) to 4·(t % 8) + 3.
  let mine = t / 8u;
  for (var i = 0u; i < mine; i++) { at += countOneBits(own[i]); }
  let shift = 4u * (t % 8u);
  at += countOneBits(own[mine] & ((1u << shift) - 1u));
  for (var bit = shift; bit < shift + 4u; bit++) {
    if (((own[mine] >> bit) & 1u) == 1u) { ${activeNeuron("tile", "at")} = (first + mine) * 32u + bit; at++; }
  }
  if (wg.x == shape.stretches - 1u && t == ${threads - 1}u) {
    lengths[2u * tile] = at;
    lengths[2u * tile + 1u] = end - m0;
  }
}
`,
  });
}
