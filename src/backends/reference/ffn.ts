/**
 * One feed-forward block: out (+)= down(h(x)) over the active neurons, neuron by neuron.
 * Each row chooses its own active set; h is f32, as in the fast backends.
 */

import { activationFunction, hidden } from "../../ops/activation.ts";
import type { FfnBlock, OpOf } from "../../ops/op.ts";
import { candidatesOf } from "../../ops/program-ops.ts";
import { type FfnRow, predictedActive } from "./active-set.ts";
import { dot } from "./dot.ts";
import { type ReferenceState, type RowRange, slotData, weightData } from "./state.ts";

/** The neurons of one row that reach the down projection, and the h of all: [neurons], 0 where inactive. */
export interface ActiveNeurons {
  readonly neurons: Uint32Array;
  readonly h: Float32Array;
  count: number;
}

/** Computes the rows and reports the neurons that each of them used (a view, valid during the call). */
export function ffn(
  op: OpOf<"ffn">,
  state: ReferenceState,
  range: RowRange,
  onRow: (active: Uint32Array) => void,
): void {
  const { block } = op;
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  const among = candidatesOf(block);
  const active = noneActive(block);
  for (let row = range.first; row < range.end; row++) {
    const begin = row * block.dim;
    const input = { row, x: x.subarray(begin, begin + block.dim) };
    const sums = blockOutput(block, state, input, { among, active });
    for (let i = 0; i < block.dim; i++) {
      out[begin + i] = op.into === "add" ? out[begin + i]! + sums[i]! : sums[i]!;
    }
    onRow(active.neurons.subarray(0, active.count));
  }
}

/** Room for the active neurons of one row. */
export function noneActive({ neurons }: FfnBlock): ActiveNeurons {
  return { neurons: new Uint32Array(neurons), h: new Float32Array(neurons), count: 0 };
}

/** down(h(x)) with its bias: double [dim]. Fills `active`. */
export function blockOutput(
  block: FfnBlock,
  state: ReferenceState,
  input: FfnRow,
  neurons: { readonly among: Uint32Array; readonly active: ActiveNeurons },
): Float64Array {
  computeHidden(block, state, input, neurons);
  normHidden(block, state, neurons.active);
  const sums = projectDown(block, state, neurons.active);
  const bias = block.downBias && weightData(state, block.downBias);
  return bias === undefined ? sums : sums.map((sum, i) => sum + bias[i]!);
}

/** Fills `active` with the neurons that the method keeps, in rising order. */
function computeHidden(
  block: FfnBlock,
  state: ReferenceState,
  input: FfnRow,
  { among, active }: { readonly among: Uint32Array; readonly active: ActiveNeurons },
): void {
  const act = activationFunction(block.activation);
  const up = weightData(state, block.up);
  const gate = block.gate && weightData(state, block.gate);
  const gateBias = block.gateBias && weightData(state, block.gateBias);
  const upBias = block.upBias && weightData(state, block.upBias);
  const xUp = state.roundInput(block.up.type, input.x);
  const xGate = block.gate && state.roundInput(block.gate.type, input.x);
  active.count = 0;
  active.h.fill(0);
  for (const neuron of predictedActive(block, state, among, input)) {
    const product = xGate === undefined ? 0 : dot(gate!, neuron * block.dim, xGate, 0, block.dim);
    const g = product + (gateBias === undefined ? 0 : gateBias[neuron]!);
    if (xGate !== undefined && !keepsGate(block, act(g))) continue;
    const bias = upBias === undefined ? 0 : upBias[neuron]!;
    const u = dot(up, neuron * block.dim, xUp, 0, block.dim) + bias;
    const h = hidden(block.gating, act, u, g);
    if (!keepsHidden(block, neuron, h)) continue;
    active.neurons[active.count] = neuron;
    active.h[neuron] = h;
    active.count++;
  }
}

/** h/√(Σh²/neurons + ε)·w; what is not active is 0 and adds nothing to the sum. */
function normHidden(
  { hiddenNorm, neurons }: FfnBlock,
  state: ReferenceState,
  { h }: ActiveNeurons,
): void {
  if (hiddenNorm === undefined) return;
  const weight = weightData(state, hiddenNorm.weight);
  const squares = h.reduce((sum, value) => sum + value * value, 0);
  const scale = 1 / Math.sqrt(squares / neurons + hiddenNorm.epsilon);
  for (let i = 0; i < neurons; i++) h[i]! *= scale * weight[i]!;
}

/** Judged by act(g), before up is computed. */
function keepsGate(block: FfnBlock, activated: number): boolean {
  if (block.method.kind === "gate") return activated !== 0;
  if (block.method.kind === "threshold-gate") return Math.abs(activated) >= block.method.value;
  return true;
}

/** Judged by h, before down is computed. */
function keepsHidden(block: FfnBlock, neuron: number, h: number): boolean {
  const { method } = block;
  if (method.kind === "gate") return block.gating !== "ungated" || h !== 0;
  if (method.kind === "threshold-output") {
    return Math.abs(h) * method.downNorms[neuron]! >= method.value;
  }
  return true;
}

/** Σ h[neuron]·down[:, neuron], one sum for each output: double [dim]. */
function projectDown(block: FfnBlock, state: ReferenceState, active: ActiveNeurons): Float64Array {
  const { layout, weight } = block.down;
  const down = weightData(state, weight);
  const sums = new Float64Array(block.dim);
  if (layout === "rows") {
    for (const neuron of active.neurons.subarray(0, active.count)) {
      const from = neuron * block.dim;
      const factor = active.h[neuron]!;
      for (let i = 0; i < block.dim; i++) sums[i]! += factor * down[from + i]!;
    }
    return sums;
  }
  const h = state.roundInput(weight.type, active.h);
  for (let i = 0; i < block.dim; i++) {
    const from = i * block.neurons;
    let sum = 0;
    for (let a = 0; a < active.count; a++) {
      const neuron = active.neurons[a]!;
      sum += h[neuron]! * down[from + neuron]!;
    }
    sums[i] = sum;
  }
  return sums;
}
