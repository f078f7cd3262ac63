/**
 * Bounds of a feed-forward block. Where a score lies so near to a threshold that a correct backend may judge
 * otherwise, the neuron's whole h is allowed to appear or vanish; the cases keep scores away from thresholds,
 * and the count of uncertain neurons lets a test show it.
 */

import { activationFunction, hidden } from "../../ops/activation.ts";
import { neuronsPerElement } from "../../ops/active-bits.ts";
import type { FfnBlock, OpOf, Weight } from "../../ops/op.ts";
import { candidatesOf } from "../../ops/program-ops.ts";
import { weightData } from "../reference/state.ts";
import { activationError, roundoff } from "../tolerance.ts";
import { axpyBound, productBound } from "./bound-product.ts";
import { hiddenBound, normPartBound, type RowBound } from "./bound-rows.ts";
import { type Bounded, type BoundState, boundedRow, weightMagnitudes } from "./bound-state.ts";
import { type Judgement, judge, predictor, productScore, type Score } from "./judgement.ts";
import { roundedInput } from "./rounded-input.ts";

export function ffnBound(op: OpOf<"ffn">, state: BoundState): RowBound {
  return (row) => {
    const output = blockBound(op.block, state, boundedRow(state, op.x, row), row);
    const before = boundedRow(state, op.out, row);
    return before.errors.map((error, i) => {
      const held = op.into === "add" ? error + 2 * roundoff * Math.abs(before.values[i]!) : 0;
      return output(i) + held;
    });
  };
}

/** Exact, but for an element of which a neuron is too near to tell: that may be anything. */
export function predictBound(op: OpOf<"predict">, state: BoundState): RowBound {
  return (row) => {
    const judged = predictor(op.predictor, state, boundedRow(state, op.x, row), row);
    const errors = new Float64Array(op.out.width);
    for (let neuron = 0; neuron < op.neurons; neuron++) {
      if (judged(neuron) !== "either") continue;
      state.uncertain.count++;
      errors[Math.floor(neuron / neuronsPerElement)] = 2 ** neuronsPerElement;
    }
    return errors;
  };
}

/** Of what the block gives for x, its bias included. */
export function blockBound(
  block: FfnBlock,
  state: BoundState,
  x: Bounded,
  row: number,
): (index: number) => number {
  const { layout, weight } = block.down;
  const bias = block.downBias && weightMagnitudes(state, block.downBias).terms;
  const h = boundedNorm(block, state, boundedHidden(block, state, x, row));
  const down =
    layout === "columns"
      ? productBound(state, weight, roundedInput(state, weight.type, h))
      : axpyBound(state, weight, h);
  return (i) => down(i) + 5 * roundoff * (bias === undefined ? 0 : bias[i]!);
}

/** h of all neurons of one row, 0 for the inactive ones, with its bounds. */
function boundedHidden(block: FfnBlock, state: BoundState, x: Bounded, row: number): Bounded {
  const isPredicted = predictor(block.method, state, x, row);
  const neuron = neuronValues(block, state, x);
  const h: Bounded = {
    values: new Float32Array(block.neurons),
    errors: new Float64Array(block.neurons),
  };
  for (const id of candidatesOf(block)) {
    const predicted = isPredicted(id);
    if (predicted === "inactive") continue;
    const { gate, whole } = neuron(id);
    const kept = both(predicted, judgeByValue(block, id, gate, whole));
    if (kept === "inactive") continue;
    h.values[id] = whole.value;
    h.errors[id] = whole.error;
    if (kept === "either") {
      state.uncertain.count++;
      h.errors[id] = Math.abs(whole.value) + whole.error;
    }
  }
  return h;
}

/** h as down reads it. A norm whose values are all 0 gives 0, whatever its scale is off by. */
function boundedNorm({ hiddenNorm }: FfnBlock, state: BoundState, h: Bounded): Bounded {
  if (hiddenNorm === undefined) return h;
  const { epsilon } = hiddenNorm;
  const weight = weightData(state.reference, hiddenNorm.weight);
  const squares = h.values.reduce((sum, value) => sum + value * value, 0);
  const scale = 1 / Math.sqrt(squares / h.values.length + epsilon);
  return {
    values: h.values.map((value, i) => value * scale * weight[i]!),
    errors: normPartBound({ form: "rms", epsilon }, h, { weight }),
  };
}

/** act(gate) and h of one neuron with their bounds. */
function neuronValues(
  block: FfnBlock,
  state: BoundState,
  x: Bounded,
): (neuron: number) => { readonly gate: Score; readonly whole: Score } {
  const act = activationFunction(block.activation);
  const upScore = biasedScore(state, { weight: block.up, bias: block.upBias }, x);
  const gateScore =
    block.gate === undefined
      ? upScore
      : biasedScore(state, { weight: block.gate, bias: block.gateBias }, x);
  const bound = hiddenBound(block);
  return (neuron) => {
    const up = upScore(neuron);
    const gate = gateScore(neuron);
    const value = hidden(block.gating, act, up.value, gate.value);
    return {
      gate: {
        value: act(gate.value),
        error: activationError(block.activation, gate.value, gate.error),
      },
      whole: { value, error: bound(up, gate) },
    };
  };
}

/** A row's product and its bias, which is made with up to 3 roundings and added with one. */
function biasedScore(
  state: BoundState,
  linear: { readonly weight: Weight; readonly bias: Weight | undefined },
  x: Bounded,
): (neuron: number) => Score {
  const score = productScore(state, linear.weight, x);
  if (linear.bias === undefined) return score;
  const bias = weightData(state.reference, linear.bias);
  return (neuron) => {
    const { value, error } = score(neuron);
    const added = bias[neuron]!;
    const sum = value + added;
    return { value: sum, error: error + 5 * roundoff * Math.abs(added) + roundoff * Math.abs(sum) };
  };
}

/** "gate" needs no judgement: at act = 0, h is 0 and continuous. */
function judgeByValue(block: FfnBlock, neuron: number, gate: Score, h: Score): Judgement {
  const { method } = block;
  if (method.kind === "threshold-gate") {
    return judge({ value: Math.abs(gate.value), error: gate.error }, method.value);
  }
  // No score is below 0.
  if (method.kind !== "threshold-output" || method.value <= 0) return "active";
  const norm = method.downNorms[neuron]!;
  const value = Math.abs(h.value) * norm;
  return judge({ value, error: h.error * norm + 2 * roundoff * value }, method.value);
}

function both(first: Judgement, second: Judgement): Judgement {
  if (first === "inactive" || second === "inactive") return "inactive";
  return first === "active" && second === "active" ? "active" : "either";
}
