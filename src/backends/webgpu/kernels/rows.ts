/**
 * Kernels that move or combine whole rows: add, scale, copy, part, select, activate, mask, embed, arg-max.
 * One thread for an element (embed: for a unit of the table), 64 to a workgroup; grid (width, rows).
 */
import type { OpOf } from "../../../ops/op.ts";
import {
  type BufferSpec,
  type Extent,
  fixed,
  type KernelCall,
  kernelCall,
  loopEnd,
  one,
  reads,
  type ShapeStore,
  shapeBinding,
  slotStride,
  stepType,
  writes,
} from "../kernel.ts";
import { activationCode, floatLiteral, hiddenCode, isNan, softCapCode } from "./activation.ts";
import { weightCode } from "./decode.ts";
import type { WeightPiece } from "./gemv.ts";

const main = "@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>)";

function rowsExtent(rows: "step" | "outputs", per: number): Extent {
  return { kind: rows === "step" ? "rows" : "outputs", per };
}

/** out = x, or out += factor·x. */
export function addOrCopy(
  op: OpOf<"add"> | OpOf<"copy">,
  x: BufferSpec,
  out: BufferSpec,
): KernelCall {
  const { width, rows } = op.out;
  const { factor = 1 } = op as Partial<OpOf<"add">>;
  const assign = op.kind === "add" ? "+=" : "=";
  const times = factor === 1 ? "" : `${floatLiteral(factor)} * `;
  return kernelCall({
    label: `${op.kind} ${op.out.name}`,
    bindings: [reads("x", "array<f32>", x), writes("y", "array<f32>", out)],
    groups: [fixed(Math.ceil(width / 64)), rowsExtent(rows, 1), one],
    body: `${main} {
  if (id.x < ${width}u) { let i = id.y * ${slotStride(width)}u + id.x; y[i] ${assign} ${times}x[i]; }
}`,
  });
}

/** out[g·n + i] = x[g·m + first + i] */
export function part(op: OpOf<"part">, x: BufferSpec, out: BufferSpec): KernelCall {
  const { width, rows } = op.out;
  const [from, size] = [op.x.width / op.groups, width / op.groups];
  return kernelCall({
    label: `part ${op.out.name}`,
    bindings: [reads("x", "array<f32>", x), writes("y", "array<f32>", out)],
    groups: [fixed(Math.ceil(width / 64)), rowsExtent(rows, 1), one],
    body: `${main} {
  if (id.x >= ${width}u) { return; }
  let at = (id.x / ${size}u) * ${from}u + ${op.first}u + id.x % ${size}u;
  y[id.y * ${slotStride(width)}u + id.x] = x[id.y * ${slotStride(op.x.width)}u + at];
}`,
  });
}

/** out[o] = x[outputRow[o]] */
export function selectRows(
  op: OpOf<"select">,
  { x, out, step }: { readonly x: BufferSpec; readonly out: BufferSpec; readonly step: BufferSpec },
): KernelCall {
  const { width } = op.out;
  return kernelCall({
    label: `select ${op.out.name}`,
    bindings: [
      reads("step", stepType, step),
      reads("x", "array<f32>", x),
      writes("y", "array<f32>", out),
    ],
    groups: [fixed(Math.ceil(width / 64)), rowsExtent("outputs", 1), one],
    body: `${main} {
  let row = step.row[id.y].w;
  if (id.x < ${width}u) { y[id.y * ${slotStride(width)}u + id.x] = x[row * ${slotStride(width)}u + id.x]; }
}`,
  });
}

/** out = h(up, gate); out may be up or gate. */
export function activate(
  op: OpOf<"activate">,
  {
    up,
    gate,
    out,
  }: { readonly up: BufferSpec; readonly gate?: BufferSpec; readonly out: BufferSpec },
): KernelCall {
  const { width, rows } = op.out;
  const named = (name: string, buffer: BufferSpec): string => (buffer === out ? "y" : name);
  const g = gate === undefined ? "0.0" : `${named("gate", gate)}[i]`;
  return kernelCall({
    label: `activate ${op.out.name}`,
    bindings: [
      writes("y", "array<f32>", out),
      ...(up === out ? [] : [reads("up", "array<f32>", up)]),
      ...(gate === undefined || gate === out ? [] : [reads("gate", "array<f32>", gate)]),
    ],
    groups: [fixed(Math.ceil(width / 64)), rowsExtent(rows, 1), one],
    body: `${activationCode(op.activation)}
${main} {
  let i = id.y * ${slotStride(width)}u + id.x;
  if (id.x < ${width}u) { y[i] = ${hiddenCode(op.gating, `${named("up", up)}[i]`, g)}; }
}`,
  });
}

/** out = x where |x|·norm ≥ value, else 0; a NaN is not below. out may be x. limits: value, then the norms if there are any. */
export function mask(
  op: OpOf<"mask">,
  {
    x,
    out,
    limits,
  }: { readonly x: BufferSpec; readonly out: BufferSpec; readonly limits: BufferSpec },
): KernelCall {
  const { width, rows } = op.out;
  const source = x === out ? "y" : "x";
  const norm = op.norms === undefined ? "" : " * limits[1u + id.x]";
  return kernelCall({
    label: `mask ${op.out.name}`,
    bindings: [
      reads("limits", "array<f32>", limits),
      writes("y", "array<f32>", out),
      ...(x === out ? [] : [reads("x", "array<f32>", x)]),
    ],
    groups: [fixed(Math.ceil(width / 64)), rowsExtent(rows, 1), one],
    body: `${isNan}
${main} {
  if (id.x >= ${width}u) { return; }
  let i = id.y * ${slotStride(width)}u + id.x;
  let value = ${source}[i];
  y[i] = select(value, 0.0, !is_nan(value) && abs(value)${norm} < limits[0]);
}`,
  });
}

/** out = f·x, softly capped; a NaN stays one. out may be x. factors: one for each stretch of positions. */
export function scale(
  op: OpOf<"scale">,
  buffers: {
    readonly x: BufferSpec;
    readonly out: BufferSpec;
    readonly step: BufferSpec;
    readonly factors?: BufferSpec;
  },
): KernelCall {
  const { x, out, step, factors } = buffers;
  const { cap, factor, byPosition } = op;
  const { width, rows } = op.out;
  const source = x === out ? "y" : "x";
  const place = byPosition && ` * factors[step.row[id.y].y / ${byPosition.length}u]`;
  return kernelCall({
    label: `scale ${op.out.name}`,
    bindings: [
      writes("y", "array<f32>", out),
      ...(x === out ? [] : [reads("x", "array<f32>", x)]),
      ...(factors === undefined
        ? []
        : [reads("step", stepType, step), reads("factors", "array<f32>", factors)]),
    ],
    groups: [fixed(Math.ceil(width / 64)), rowsExtent(rows, 1), one],
    body: `${cap === undefined ? "" : softCapCode(cap)}
${main} {
  if (id.x >= ${width}u) { return; }
  let i = id.y * ${slotStride(width)}u + id.x;
  let value = ${source}[i] * (${floatLiteral(factor)}${place ?? ""});
  y[i] = ${cap === undefined ? "value" : "soft_cap(value)"};
}`,
  });
}

export interface Lookup {
  readonly label: string;
  readonly piece: WeightPiece;
  readonly out: BufferSpec;
  readonly step: BufferSpec;
  /** Which row of the table: token, or position + offset. */
  readonly by: { readonly kind: "token" } | { readonly kind: "position"; readonly offset: number };
  readonly into: "assign" | "add";
  readonly shapes: ShapeStore;
  readonly scale: number;
}

/** out[i] (+)= table[index]·scale, for the rows whose index lies in this piece of the table. */
export function lookup({ label, piece, out, step, by, into, scale, shapes }: Lookup): KernelCall {
  const code = weightCode(piece.type, piece.columns);
  const shape = {
    ...code.shape,
    columns: piece.columns,
    stride: slotStride(piece.columns),
    first_row: piece.firstRow,
    end_row: piece.firstRow + piece.rows,
  };
  const index = by.kind === "token" ? "row.z" : `row.y + ${by.offset}u`;
  const assign = into === "add" ? "+=" : "=";
  return kernelCall({
    label,
    shape,
    bindings: [
      shapeBinding(shapes, shape),
      reads("step", stepType, step),
      reads("w", "array<vec4<u32>>", piece.buffer),
      writes("y", "array<f32>", out),
    ],
    groups: [fixed(Math.ceil(code.units / 64)), rowsExtent("step", 1), one],
    body: `${code.functions}
fn quad(at: u32, q: u32, value: vec4<f32>) {
  for (var i = 0u; i < 4u; i++) {
    if (q * 4u + i < shape.columns) { y[at + q * 4u + i] ${assign} value[i] * ${floatLiteral(scale)}; }
  }
}
${main} {
  let row = step.row[id.y];
  let index = ${index};
  if (id.x >= shape.units || index < shape.first_row || index >= shape.end_row) { return; }
  let at = id.y * shape.stride;
  var d = decode((index - shape.first_row) * shape.row_vec, id.x);
  for (var q = 0u; q < ${loopEnd(shapes, "quads", code.quads)}; q++) { quad(at, quad_at(id.x, q), d[q]); }
}`,
  });
}

/** out[o] = index of the largest x, the lowest on a tie. One workgroup for a row. */
export function argmax(op: OpOf<"argmax">, x: BufferSpec, out: BufferSpec): KernelCall {
  const { width, rows } = op.x;
  return kernelCall({
    label: "argmax",
    bindings: [reads("x", "array<f32>", x), writes("y", "array<f32>", out)],
    groups: [one, rowsExtent(rows, 1), one],
    body: /* wgsl */ `
var<workgroup> best_value: array<f32, 256>;
var<workgroup> best_index: array<u32, 256>;
var<workgroup> has_nan: atomic<u32>;
${isNan}
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  // Workgroup memory begins with anything.
  if (t == 0u) { atomicStore(&has_nan, 0u); }
  workgroupBarrier();
  let src = wg.y * ${slotStride(width)}u;
  var index = min(t, ${width - 1}u);
  var value = x[src + index];
  var saw_nan = is_nan(value);
  for (var i = t + 256u; i < ${width}u; i += 256u) {
    let candidate = x[src + i];
    saw_nan = saw_nan || is_nan(candidate);
    if (candidate > value) { value = candidate; index = i; }
  }
  if (saw_nan) { atomicStore(&has_nan, 1u); }
  best_value[t] = value;
  best_index[t] = index;
  for (var half_count = 128u; half_count > 0u; half_count /= 2u) {
    workgroupBarrier();
    if (t < half_count) {
      let v = best_value[t + half_count];
      let i = best_index[t + half_count];
      if (v > best_value[t] || (v == best_value[t] && i < best_index[t])) { best_value[t] = v; best_index[t] = i; }
    }
  }
  if (t == 0u) {
    let is_finite = (bitcast<u32>(best_value[0]) & 0x7fffffffu) < 0x7f800000u && atomicLoad(&has_nan) == 0u;
    y[wg.y * ${slotStride(1)}u] = select(-1.0, f32(best_index[0]), is_finite);
  }
}`,
  });
}
