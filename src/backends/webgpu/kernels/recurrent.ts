/**
 * Layers with a state of fixed size: the causal convolution and the gated delta rule. A workgroup belongs to a sequence
 * and walks the rows of the step, of which it skips those of others; the state lies in registers or in workgroup memory
 * meanwhile. State of one layer: f32 [states, inputs of the convolution, then a matrix for each head].
 */
import { UnsupportedError } from "../../../core/errors.ts";
import type { KvShape, RecurrentLayer } from "../../../ops/kv-shape.ts";
import type { OpOf } from "../../../ops/op.ts";
import {
  type BufferSpec,
  fixed,
  type KernelCall,
  kernelCall,
  one,
  reads,
  slotStride,
  stepType,
  writes,
} from "../kernel.ts";
import { floatLiteral } from "./activation.ts";

/** f32 elements of one state. */
export function stateElements({ conv, state }: RecurrentLayer): number {
  return conv.positions * conv.channels + state.heads * state.rows * state.columns;
}

/** The layer of an op and how many sequences its states are of. */
export interface StateShape {
  readonly layer: RecurrentLayer;
  readonly kv: KvShape;
}

/** One thread for a channel of a sequence: out = Σ_t w[t]·x[t], the held inputs in registers h0, h1, …. */
export function convolve(
  op: OpOf<"convolve">,
  { layer, kv }: StateShape,
  buffers: {
    readonly step: BufferSpec;
    readonly x: BufferSpec;
    readonly out: BufferSpec;
    readonly weight: BufferSpec;
    readonly state: BufferSpec;
  },
): KernelCall {
  const { positions, channels } = layer.conv;
  const isInPlace = buffers.x === buffers.out;
  const source = isInPlace ? "y" : "x";
  const held = Array.from({ length: positions }, (_, p) => p);
  const each = (code: (p: number) => string): string => held.map(code).join(" ");
  return kernelCall({
    label: `convolve ${op.out.name}`,
    bindings: [
      reads("step", stepType, buffers.step),
      ...(isInPlace ? [] : [reads("x", "array<f32>", buffers.x)]),
      writes("y", "array<f32>", buffers.out),
      reads("w", "array<f32>", buffers.weight),
      writes("state", "array<f32>", buffers.state),
    ],
    groups: [fixed(Math.ceil(channels / 64)), fixed(kv.sequences), one],
    body: /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let channel = id.x;
  if (channel >= ${channels}u) { return; }
  let at = id.y * ${stateElements(layer)}u + channel;
  let taps = channel * ${positions + 1}u;
  var is_loaded = false;
  ${each((p) => `var h${p} = 0.0;`)}
  for (var i = 0u; i < step.rows; i++) {
    let row = step.row[i];
    if (row.x != id.y) { continue; }
    if (row.y == 0u) { ${each((p) => `h${p} = 0.0;`)} }
    else if (!is_loaded) { ${each((p) => `h${p} = state[at + ${p * channels}u];`)} }
    is_loaded = true;
    let value = ${source}[i * ${slotStride(channels)}u + channel];
    var sum = w[taps + ${positions}u] * value;
    ${each((p) => `sum += w[taps + ${p}u] * h${p};`)}
    ${each((p) => `h${p} = ${p + 1 < positions ? `h${p + 1}` : "value"};`)}
    y[i * ${slotStride(channels)}u + channel] = sum;
  }
  if (is_loaded) { ${each((p) => `state[at + ${p * channels}u] = h${p};`)} }
}`,
  });
}

/** Bytes of workgroup memory that WebGPU guarantees. */
const workgroupBytes = 16_384;
const threads = 64;

/** Columns of a matrix that a workgroup keeps, so that they fit with k, q and the sums of its threads. */
function columnsOfGroup(keyWidth: number): number {
  const fits = (columns: number): boolean =>
    4 * keyWidth * columns + 8 * keyWidth + 12 * threads <= workgroupBytes;
  const columns = [16, 8, 4, 2, 1].find(fits);
  if (columns !== undefined) return columns;
  throw new UnsupportedError(`keys of ${keyWidth} elements in the delta rule on the GPU`, [
    "up to 1300",
  ]);
}

/**
 * One workgroup for a block of columns of a head's matrix: thread t has column t mod columns and every n-th key. The
 * threads' sums over keys meet in workgroup memory in a fixed order.
 */
export function deltaRule(
  op: OpOf<"delta-rule">,
  { layer, kv }: StateShape,
  buffers: {
    readonly step: BufferSpec;
    readonly x: BufferSpec;
    readonly decay: BufferSpec;
    readonly strength: BufferSpec;
    readonly out: BufferSpec;
    /** rate [heads], then bias [heads]. */
    readonly gates: BufferSpec;
    readonly state: BufferSpec;
  },
): KernelCall {
  const { heads, rows: keys, columns: values } = layer.state;
  const columns = columnsOfGroup(keys);
  const blocks = Math.ceil(values / columns);
  const slices = threads / columns;
  const keyElements = op.keyHeads * keys;
  return kernelCall({
    label: `delta-rule ${op.out.name}`,
    bindings: [
      reads("step", stepType, buffers.step),
      reads("x", "array<f32>", buffers.x),
      reads("gate_decay", "array<f32>", buffers.decay),
      reads("gate_strength", "array<f32>", buffers.strength),
      writes("y", "array<f32>", buffers.out),
      reads("gates", "array<f32>", buffers.gates),
      writes("state", "array<f32>", buffers.state),
    ],
    groups: [fixed(heads * blocks), fixed(kv.sequences), one],
    body: /* wgsl */ `
var<workgroup> matrix: array<f32, ${keys * columns}>;
var<workgroup> q: array<f32, ${keys}>;
var<workgroup> k: array<f32, ${keys}>;
var<workgroup> squares: array<vec2<f32>, ${threads}>;
var<workgroup> sums: array<f32, ${threads}>;

// Factors that give q and k unit length.
fn inverse_lengths(t: u32) -> vec2<f32> {
  var own = vec2<f32>(0.0);
  for (var i = t; i < ${keys}u; i += ${threads}u) { own += vec2<f32>(q[i] * q[i], k[i] * k[i]); }
  squares[t] = own;
  workgroupBarrier();
  if (t < 8u) {
    var sum = vec2<f32>(0.0);
    for (var i = t; i < ${threads}u; i += 8u) { sum += squares[i]; }
    squares[t] = sum;
  }
  workgroupBarrier();
  let total = ((squares[0] + squares[1]) + (squares[2] + squares[3])) + ((squares[4] + squares[5]) + (squares[6] + squares[7]));
  return 1.0 / max(sqrt(total), vec2<f32>(${floatLiteral(op.epsilon)}));
}

// Of all threads with the same column.
fn total_of_column(t: u32, value: f32) -> f32 {
  workgroupBarrier();
  sums[t] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = t % ${columns}u; i < ${threads}u; i += ${columns}u) { sum += sums[i]; }
  return sum;
}

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let head = wg.x / ${blocks}u;
  let slice = t / ${columns}u;
  let column = (wg.x % ${blocks}u) * ${columns}u + t % ${columns}u;
  let is_column = column < ${values}u;
  let at = wg.y * ${stateElements(layer)}u + ${layer.conv.positions * layer.conv.channels}u + head * ${keys * values}u + column;
  let key_at = ((head / ${op.keyRun}u) % ${op.keyHeads}u) * ${keys}u;
  var is_loaded = false;
  for (var r = 0u; r < step.rows; r++) {
    let row = step.row[r];
    if (row.x != wg.y) { continue; }
    // Each thread reads and writes its own elements of the matrix alone.
    if (row.y == 0u) {
      for (var i = t; i < ${keys * columns}u; i += ${threads}u) { matrix[i] = 0.0; }
    } else if (!is_loaded) {
      for (var i = slice; i < ${keys}u; i += ${slices}u) {
        matrix[i * ${columns}u + t % ${columns}u] = select(0.0, state[at + i * ${values}u], is_column);
      }
    }
    is_loaded = true;
    let begin = r * ${slotStride(op.x.width)}u;
    workgroupBarrier();
    for (var i = t; i < ${keys}u; i += ${threads}u) {
      q[i] = x[begin + key_at + i];
      k[i] = x[begin + ${keyElements}u + key_at + i];
    }
    workgroupBarrier();
    let scale = inverse_lengths(t);
    let gate = gate_decay[r * ${slotStride(heads)}u + head] + gates[${heads}u + head];
    let decay = exp(gates[head] * (max(gate, 0.0) + log(1.0 + exp(-min(abs(gate), 80.0)))));
    let strength = 1.0 / (1.0 + exp(clamp(-gate_strength[r * ${slotStride(heads)}u + head], -80.0, 80.0)));
    var recalled = 0.0;
    for (var i = slice; i < ${keys}u; i += ${slices}u) {
      recalled += k[i] * matrix[i * ${columns}u + t % ${columns}u];
    }
    recalled = total_of_column(t, recalled) * (decay * scale.y);
    let value = select(0.0, x[begin + ${2 * keyElements}u + head * ${values}u + column], is_column);
    let delta = strength * (value - recalled) * scale.y;
    var sum = 0.0;
    for (var i = slice; i < ${keys}u; i += ${slices}u) {
      let place = i * ${columns}u + t % ${columns}u;
      let next = decay * matrix[place] + k[i] * delta;
      matrix[place] = next;
      sum += q[i] * next;
    }
    sum = total_of_column(t, sum) * (scale.x * ${floatLiteral(1 / Math.sqrt(keys))});
    if (is_column && slice == 0u) { y[r * ${slotStride(op.out.width)}u + head * ${values}u + column] = sum; }
  }
  if (is_loaded && is_column) {
    for (var i = slice; i < ${keys}u; i += ${slices}u) {
      state[at + i * ${values}u] = matrix[i * ${columns}u + t % ${columns}u];
    }
  }
}`,
  });
}

/** One state of a layer to the place of another; request = (from, to, unused, unused). */
export function copyStateCode(layer: RecurrentLayer): string {
  const elements = stateElements(layer);
  return `@group(0) @binding(0) var<uniform> request: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> state: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  for (var i = id.x; i < ${elements}u; i += groups.x * 64u) {
    state[request.y * ${elements}u + i] = state[request.x * ${elements}u + i];
  }
}`;
}
