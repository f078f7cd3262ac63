/**
 * The KV cache on the GPU: one buffer of keys and one of values a layer, [places, cells, kvHeads, width], f32, f16
 * (two in a u32) or q8_0 (kv-blocks.ts). Rotary embedding of q and k and the store of k and v are one dispatch.
 * Halves are rounded to nearest even by hand: WGSL leaves the rounding of pack2x16float to the driver.
 */

import type { KvCells, KvType } from "../../../ops/kv-shape.ts";
import type { OpOf } from "../../../ops/op.ts";
import {
  type Binding,
  type BufferSpec,
  fixed,
  type KernelCall,
  type KernelFeatures,
  kernelCall,
  one,
  reads,
  slotStride,
  stepType,
  writes,
} from "../kernel.ts";
import { blockCountOf, blockQuad, blocksWords, storeBlock } from "./kv-blocks.ts";

/** Elements of a head in the cache: whole quads. */
export function headStride(headDim: number): number {
  return Math.ceil(headDim / 4) * 4;
}

/** u32 or f32 words of one position of keys, or of values, whose heads have `width` elements. */
export function positionWords({ kvHeads, type }: KvCells, width: number): number {
  if (type === "q8_0") return kvHeads * blocksWords(width);
  return (kvHeads * headStride(width)) / (type === "f32" ? 1 : 2);
}

/** Bytes of the keys, or of the values, of one layer, in all places. */
export function kvBufferBytes(cells: KvCells, of: "keys" | "values"): number {
  const width = of === "keys" ? cells.keyWidth : cells.valueWidth;
  return 4 * cells.places * cells.cells * positionWords(cells, width);
}

/** Type of the cache's binding, and WGSL that makes an f32 vector of its quad (four elements of a head) at an index. */
export function kvQuad(
  type: KvType,
  { halves }: KernelFeatures,
): {
  readonly element: string;
  readonly at: (binding: string, index: string) => string;
} {
  if (type === "q8_0") return { element: "array<u32>", at: blockQuad };
  if (type === "f32") return { element: "array<vec4<f32>>", at: (of, i) => `${of}[${i}]` };
  if (halves) return { element: "array<vec4<f16>>", at: (of, i) => `vec4<f32>(${of}[${i}])` };
  return {
    element: "array<vec2<u32>>",
    at: (of, i) => `vec4<f32>(unpack2x16float(${of}[${i}].x), unpack2x16float(${of}[${i}].y))`,
  };
}

/** binary16 of a finite x, to nearest even; too large becomes infinite (as in quant/half.ts). */
const halfBits = /* wgsl */ `
fn half_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude >= 0x477ff000u) { return sign | 0x7c00u; }
  if (magnitude < 0x38800000u) { return sign | u32(round(abs(x) * 16777216.0)); }
  return sign | ((magnitude + 0xfffu + ((magnitude >> 13u) & 1u) - 0x38000000u) >> 13u);
}
`;

/** Positions are position = 256·high + low: two small tables instead of one for every position. */
const lowPositions = 256;

/** Programs without a cache (tests, parts of a model) still rotate: at least 65536 positions. */
const minHigh = 256;

function highRows(contextLength: number): number {
  return Math.max(Math.ceil(contextLength / lowPositions), minHigh);
}

/** (cos, sin) of low·frequency times the magnitude, then of 256·high·frequency: f32 [256 + ⌈context/256⌉, pairs, 2]. */
export function ropeTable(op: OpOf<"rope">, contextLength: number): Float32Array {
  const pairs = op.frequencies.length;
  const high = highRows(contextLength);
  const table = new Float32Array((lowPositions + high) * pairs * 2);
  for (let row = 0; row < lowPositions + high; row++) {
    const isLow = row < lowPositions;
    const position = isLow ? row : (row - lowPositions) * lowPositions;
    op.frequencies.forEach((frequency, pair) => {
      const at = (row * pairs + pair) * 2;
      table[at] = Math.cos(position * frequency) * (isLow ? op.magnitude : 1);
      table[at + 1] = Math.sin(position * frequency) * (isLow ? op.magnitude : 1);
    });
  }
  return table;
}

export function ropeTableBytes(op: OpOf<"rope">, contextLength: number): number {
  return (lowPositions + highRows(contextLength)) * op.frequencies.length * 8;
}

/** cos and sin of position·frequency by the angle sum; one rounding more than a table of all positions. */
function angleCode(pairs: number): string {
  return /* wgsl */ `
fn angle(position: u32, pair: u32) -> vec2<f32> {
  let a = rope_table[(position % ${lowPositions}u) * ${pairs}u + pair];
  let b = rope_table[(${lowPositions}u + position / ${lowPositions}u) * ${pairs}u + pair];
  return vec2<f32>(a.x * b.x - a.y * b.y, a.y * b.x + a.x * b.y);
}
`;
}

/** Elements of pair p of a head: first and second, as WGSL of p. */
function pairElements(
  { pairing, frequencies }: OpOf<"rope">,
  p: string,
): readonly [string, string] {
  if (pairing === "adjacent") return [`2u * ${p}`, `2u * ${p} + 1u`];
  return [p, `${p} + ${frequencies.length}u`];
}

/** Statement that rotates pair (head, p) of row `row` in the binding, in place. */
function rotateCode(op: OpOf<"rope">, binding: string): string {
  const [first, second] = pairElements(op, "p");
  const headDim = op.x.width / op.heads;
  return `
  let at = row * ${slotStride(op.x.width)}u + (i / ${op.frequencies.length}u) * ${headDim}u;
  let p = i % ${op.frequencies.length}u;
  let cs = angle(step.row[row].y, p);
  let a = ${binding}[at + ${first}];
  let b = ${binding}[at + ${second}];
  ${binding}[at + ${first}] = a * cs.x - b * cs.y;
  ${binding}[at + ${second}] = a * cs.y + b * cs.x;`;
}

export function rope(
  op: OpOf<"rope">,
  {
    x,
    table,
    step,
  }: { readonly x: BufferSpec; readonly table: BufferSpec; readonly step: BufferSpec },
): KernelCall {
  const work = op.heads * op.frequencies.length;
  return kernelCall({
    label: `rope ${op.x.name}`,
    bindings: [
      reads("step", stepType, step),
      reads("rope_table", "array<vec2<f32>>", table),
      writes("x", "array<f32>", x),
    ],
    groups: [
      fixed(Math.ceil(work / 64)),
      { kind: op.x.rows === "step" ? "rows" : "outputs", per: 1 },
      one,
    ],
    body: `${angleCode(op.frequencies.length)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x;
  let row = id.y;
  if (i >= ${work}u) { return; }
  ${rotateCode(op, "x")}
}`,
  });
}

export interface StoreBuffers {
  readonly step: BufferSpec;
  readonly k: BufferSpec;
  readonly v: BufferSpec;
  readonly keys: BufferSpec;
  readonly values: BufferSpec;
  /** Rotation of k on its way to the cache (its slot keeps the values before), and of q in place. */
  readonly rotate?: { readonly op: OpOf<"rope">; readonly table: BufferSpec };
  readonly q?: { readonly op: OpOf<"rope">; readonly buffer: BufferSpec };
}

/** cache[sequence, position] = (k, v); with `rotate`, of rotated k; with `q`, q is rotated beside. */
export function storeKv(shape: KvCells, buffers: StoreBuffers): KernelCall {
  const { rotate, q } = buffers;
  const element = shape.type === "f32" ? "array<f32>" : "array<u32>";
  const keyWords = positionWords(shape, shape.keyWidth);
  const valueWords = positionWords(shape, shape.valueWidth);
  const { kvHeads } = shape;
  // What a thread stores: a word, or a block of q8_0.
  const isBlocks = shape.type === "q8_0";
  const keys = isBlocks ? blockCountOf(kvHeads, shape.keyWidth) : keyWords;
  const values = isBlocks ? blockCountOf(kvHeads, shape.valueWidth) : valueWords;
  const pieces = keys + values;
  const queries = q === undefined ? 0 : q.op.heads * q.op.frequencies.length;
  const bindings: Binding[] = [
    reads("step", stepType, buffers.step),
    reads("k", "array<f32>", buffers.k),
    reads("v", "array<f32>", buffers.v),
    writes("keys", element, buffers.keys),
    writes("values", element, buffers.values),
    ...(rotate === undefined ? [] : [reads("rope_table", "array<vec2<f32>>", rotate.table)]),
    ...(q === undefined ? [] : [writes("q", "array<f32>", q.buffer)]),
  ];
  return kernelCall({
    label: "store-kv",
    bindings,
    groups: [fixed(Math.ceil((pieces + queries) / 64)), { kind: "rows", per: 1 }, one],
    body: `${rotate === undefined ? "" : angleCode(rotate.op.frequencies.length)}${halfBits}
${storedElement("key", "k", { kvHeads: shape.kvHeads, width: shape.keyWidth }, rotate?.op)}
${storedElement("value", "v", { kvHeads: shape.kvHeads, width: shape.valueWidth }, undefined)}
${isBlocks ? storeBlock("key", "keys") + storeBlock("value", "values") : storeWords(shape.type)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.y;
  let cell = step.row[row].x * ${shape.cells}u + step.row[row].y % ${shape.cells}u;
  if (id.x < ${keys}u) {
    store_key(row, id.x, cell * ${keyWords}u + id.x * ${keyWords / keys}u);
    return;
  }
  if (id.x < ${pieces}u) {
    let i = id.x - ${keys}u;
    store_value(row, i, cell * ${valueWords}u + i * ${valueWords / values}u);
    return;
  }
  ${q === undefined ? "" : queryCode(q.op, pieces, queries)}
}`,
  });
}

/** `fn store_NAME(row, i, at)`: word i of a position, where a word is an element or two halves. */
function storeWords(type: KvType): string {
  const word = (name: string): string =>
    type === "f32"
      ? `${name}(row, i)`
      : `half_bits(${name}(row, 2u * i)) | (half_bits(${name}(row, 2u * i + 1u)) << 16u)`;
  return `fn store_key(row: u32, i: u32, at: u32) { keys[at] = ${word("key")}; }
fn store_value(row: u32, i: u32, at: u32) { values[at] = ${word("value")}; }`;
}

function queryCode(op: OpOf<"rope">, first: number, count: number): string {
  return `if (id.x < ${first + count}u) { let i = id.x - ${first}u; rotate_q(row, i); }
}
fn rotate_q(row: u32, i: u32) {${rotateCode(op, "q")}`;
}

/** fn name(row, i): element i of the padded heads of a row, rotated if asked; 0 in the padding. */
function storedElement(
  name: string,
  slot: string,
  { kvHeads, width: headDim }: { readonly kvHeads: number; readonly width: number },
  rotated: OpOf<"rope"> | undefined,
): string {
  const stride = slotStride(kvHeads * headDim);
  const plain = `return ${slot}[at + e];`;
  return `fn ${name}(row: u32, i: u32) -> f32 {
  let e = i % ${headStride(headDim)}u;
  if (e >= ${headDim}u) { return 0.0; }
  let at = row * ${stride}u + (i / ${headStride(headDim)}u) * ${headDim}u;
  ${rotated === undefined ? plain : `${rotatedElement(rotated, slot)}\n  ${plain}`}
}`;
}

function rotatedElement(op: OpOf<"rope">, slot: string): string {
  const pairs = op.frequencies.length;
  const pair = op.pairing === "adjacent" ? "e / 2u" : `e % ${pairs}u`;
  const isFirst = op.pairing === "adjacent" ? "e % 2u == 0u" : `e < ${pairs}u`;
  const [first, second] = pairElements(op, "p");
  return `if (e < ${2 * pairs}u) {
    let p = ${pair};
    let cs = angle(step.row[row].y, p);
    let a = ${slot}[at + ${first}];
    let b = ${slot}[at + ${second}];
    if (${isFirst}) { return a * cs.x - b * cs.y; }
    return a * cs.y + b * cs.x;
  }`;
}

/** The first cells of one sequence to another, in a buffer of keys or values; request = (from, to, length, unused). */
export function copySequenceCode(
  { type, cells }: KvCells,
  { words }: { readonly words: number },
): string {
  const element = type === "f32" ? "array<f32>" : "array<u32>";
  return `@group(0) @binding(0) var<uniform> request: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> cache: ${element};
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let count = min(request.z, ${cells}u) * ${words}u;
  let source = request.x * ${cells * words}u;
  let first = request.y * ${cells * words}u;
  for (var i = id.x; i < count; i += groups.x * 64u) { cache[first + i] = cache[source + i]; }
}`;
}
