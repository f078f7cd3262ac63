/** Bounds of the ops that treat rows alone: embed, norm, matmul, rope, activate, mask, add, scale, copy, part, select, argmax, top-k. */

import { activationFunction, hidden } from "../../ops/activation.ts";
import type { OpOf } from "../../ops/op.ts";
import type { Step } from "../../ops/program.ts";
import { scaleFactor } from "../reference/rows.ts";
import { weightData } from "../reference/state.ts";
import { accumulation, activationError, flushed, rotationError, roundoff } from "../tolerance.ts";
import { productBound } from "./bound-product.ts";
import { type Bounded, type BoundState, boundedRow, weightMagnitudes } from "./bound-state.ts";
import { judge } from "./judgement.ts";
import { roundedInput } from "./rounded-input.ts";

/** Bounds of one row of the op's output, read from the inputs before the op runs. */
export type RowBound = (row: number) => Float64Array;

/** Three roundings for the weight made from its code, one each for the scale, the position and the sum. */
export function embedBound(op: OpOf<"embed">, state: BoundState, step: Step): RowBound {
  const width = op.out.width;
  const { terms } = weightMagnitudes(state, op.table);
  const learned = op.positions && weightMagnitudes(state, op.positions.weight).terms;
  return (row) => {
    const from = step.token[row]! * width;
    const positionFrom = (step.position[row]! + (op.positions?.offset ?? 0)) * width;
    return new Float64Array(width).map((_, i) => {
      const place = learned === undefined ? 0 : learned[positionFrom + i]!;
      return 6 * roundoff * (terms[from + i]! * Math.abs(op.scale) + place) + flushed;
    });
  };
}

export function matmulBound(op: OpOf<"matmul">, state: BoundState): RowBound {
  const bias = op.bias && weightMagnitudes(state, op.bias).terms;
  return (row) => {
    const x = roundedInput(state, op.weight.type, boundedRow(state, op.x, row));
    const product = productBound(state, op.weight, x);
    const before = boundedRow(state, op.out, row);
    return before.errors.map((error, o) => {
      // The bias (made with up to 3 roundings) and what the slot holds are added with one rounding each.
      const added = 5 * roundoff * (bias === undefined ? 0 : bias[o]!);
      const held = op.into === "add" ? error + 2 * roundoff * Math.abs(before.values[o]!) : 0;
      return product(o) + added + held;
    });
  };
}

/**
 * y = (x − m)·s·w + b with s = (v + ε)^-½. The mean is off by e_m (layer only); v by its n + 3 roundings and by
 * 2·mean(|x − m|·(e + e_m)); s by half of that share, and by 4 roundoffs for the square root (WGSL: 2 units).
 */
export function normBound(op: OpOf<"norm">, state: BoundState): RowBound {
  const weight = op.weight && weightData(state.reference, op.weight);
  const bias = op.bias && weightData(state.reference, op.bias);
  const size = op.x.width / op.groups;
  return (row) => {
    const x = boundedRow(state, op.x, row);
    const bounds = new Float64Array(op.x.width);
    for (let begin = 0; begin < op.x.width; begin += size) {
      const part = {
        values: x.values.subarray(begin, begin + size),
        errors: x.errors.subarray(begin, begin + size),
      };
      bounds.set(normPartBound(op, part, { weight, bias }), begin);
    }
    return bounds;
  };
}

/** Bounds of the elements of one part. */
export function normPartBound(
  norm: Pick<OpOf<"norm">, "form" | "epsilon">,
  x: Bounded,
  of: { readonly weight: Float32Array | undefined; readonly bias?: Float32Array | undefined },
): Float64Array {
  const { weight, bias } = of;
  const { mean, meanError, scale, scaleError } = normStatistics(norm, x);
  return x.errors.map((error, i) => {
    const w = weight === undefined ? 1 : Math.abs(weight[i]!);
    const b = bias === undefined ? 0 : Math.abs(bias[i]!);
    const centred = Math.abs(x.values[i]! - mean);
    const moved = scale * (error + meanError) + centred * scale * scaleError;
    // Roundings: x − m, ·s, ·w, + b and the weights' own three.
    return w * moved + 8 * roundoff * (w * centred * scale + b) + flushed;
  });
}

function normStatistics(
  op: Pick<OpOf<"norm">, "form" | "epsilon">,
  x: Bounded,
): { mean: number; meanError: number; scale: number; scaleError: number } {
  const size = x.values.length;
  const average = (term: (i: number) => number): number =>
    x.values.reduce((sum, _, i) => sum + term(i), 0) / size;
  const isCentred = op.form === "layer";
  const mean = isCentred ? average((i) => x.values[i]!) : 0;
  const meanError = isCentred
    ? average((i) => x.errors[i]!) + accumulation(size + 1) * average((i) => Math.abs(x.values[i]!))
    : 0;
  const variance = average((i) => (x.values[i]! - mean) ** 2);
  const moved = average((i) => Math.abs(x.values[i]! - mean) * (x.errors[i]! + meanError));
  const sum = variance + op.epsilon;
  const share = (accumulation(size + 3) * variance + 2 * moved + roundoff * sum) / sum;
  return { mean, meanError, scale: 1 / Math.sqrt(sum), scaleError: share / 2 + 4 * roundoff };
}

/** (a·cos − b·sin): cos and sin off by their error, three roundings each for the products, one for the sum. */
export function ropeBound(op: OpOf<"rope">, state: BoundState, step: Step): RowBound {
  const pairs = op.frequencies.length;
  const headDim = op.x.width / op.heads;
  const magnitude = Math.abs(op.magnitude);
  return (row) => {
    const { values, errors } = boundedRow(state, op.x, row);
    const bounds = errors.slice();
    for (let at = 0; at < op.heads * pairs; at++) {
      const pair = at % pairs;
      const start = Math.floor(at / pairs) * headDim;
      const first = start + (op.pairing === "adjacent" ? 2 * pair : pair);
      const second = first + (op.pairing === "adjacent" ? 1 : pairs);
      const angle = step.position[row]! * op.frequencies[pair]!;
      const sizes = Math.abs(values[first]!) + Math.abs(values[second]!);
      const own = sizes * magnitude * (rotationError(angle) + 4 * roundoff);
      const carried = magnitude * (errors[first]! + errors[second]!);
      bounds[first] = own + carried;
      bounds[second] = own + carried;
    }
    return bounds;
  };
}

export function activateBound(op: OpOf<"activate">, state: BoundState): RowBound {
  const bound = hiddenBound(op);
  return (row) => {
    const up = boundedRow(state, op.up, row);
    const gate = op.gate === undefined ? up : boundedRow(state, op.gate, row);
    return up.errors.map((error, i) =>
      bound({ value: up.values[i]!, error }, { value: gate.values[i]!, error: gate.errors[i]! }),
    );
  };
}

interface Value {
  readonly value: number;
  readonly error: number;
}

/** 1 + u between −7 and 7, as `hidden` has it: act(g) being 1. */
function clamped({ value, error }: Value): Value {
  const sum = hidden("clamped", () => 1, value, 0);
  return { value: sum, error: error + roundoff * Math.abs(sum) };
}

/** The bound of h from u and g with theirs: |a'b' − ab| ≤ |a|e_b + |b|e_a + e_a·e_b, and roundings of the product. */
export function hiddenBound(
  of: Pick<OpOf<"activate">, "gating" | "activation">,
): (up: Value, gate: Value) => number {
  const { gating, activation } = of;
  const act = activationFunction(activation);
  const activated = ({ value, error }: Value): Value => ({
    value: act(value),
    error: activationError(activation, value, error),
  });
  return (up, gate) => {
    if (gating === "ungated") return activated(up).error + 2 * roundoff * Math.abs(act(up.value));
    const a = activated(gate);
    const b = gating === "both" ? activated(up) : gating === "clamped" ? clamped(up) : up;
    const carried = Math.abs(a.value) * b.error + Math.abs(b.value) * a.error + a.error * b.error;
    return carried + 3 * roundoff * Math.abs(a.value * b.value) + flushed;
  };
}

/**
 * An exact x is judged as the op defines it, without an error. Where x is off by e, its score is off by e·norm and by
 * the rounding of both sides' products; one too near to the threshold may be kept or not.
 */
export function maskBound(op: OpOf<"mask">, state: BoundState): RowBound {
  const threshold = Math.fround(op.value);
  return (row) => {
    const { values, errors } = boundedRow(state, op.x, row);
    return errors.map((error, i) => {
      if (Number.isNaN(values[i]!)) return error;
      const norm = op.norms === undefined ? 1 : op.norms[i]!;
      const value = Math.fround(Math.abs(values[i]!) * norm);
      const scoreError = error === 0 ? 0 : error * norm + 2 * roundoff * value;
      const kept = judge({ value, error: scoreError }, threshold);
      if (kept === "inactive") return 0;
      if (kept === "active") return error;
      state.uncertain.count++;
      return Math.abs(values[i]!) + error;
    });
  };
}

export function addBound(op: OpOf<"add">, state: BoundState): RowBound {
  return (row) => {
    const x = boundedRow(state, op.x, row);
    const before = boundedRow(state, op.out, row);
    const { factor = 1 } = op;
    return before.errors.map((error, i) => {
      // The factor is rounded to f32, and so is its product.
      const added = Math.abs(factor) * (x.errors[i]! + 3 * roundoff * Math.abs(x.values[i]!));
      const sum = Math.abs(factor * x.values[i]! + before.values[i]!);
      return error + (factor === 1 ? x.errors[i]! : added) + 2 * roundoff * sum;
    });
  };
}

/**
 * f·x: three roundings of f, one of the product. With a cap, a = f·x/cap gets two more roundings, and its tanh's slope
 * is at most 1, |a|·(1 − tanh²a) at most 0.45; tanh a = 1 − 2/(e^2a + 1) then is off by 4 roundoffs for e^2a (as WGSL
 * allows), 5 for the quotient and one each for the sums: at most 16 with those of cap and its product.
 */
export function scaleBound(op: OpOf<"scale">, state: BoundState, step: Step): RowBound {
  const { cap } = op;
  return (row) => {
    const { values, errors } = boundedRow(state, op.x, row);
    const factor = Math.abs(scaleFactor(op, step.position[row]!));
    return errors.map((error, i) => {
      if (Number.isNaN(values[i]!)) return error;
      const carried = factor * error;
      if (cap !== undefined) return carried + 16 * roundoff * cap + flushed;
      return carried + 4 * roundoff * factor * Math.abs(values[i]!) + flushed;
    });
  };
}

export function copyBound(op: OpOf<"copy">, state: BoundState): RowBound {
  return (row) => boundedRow(state, op.x, row).errors.slice();
}

export function partBound(op: OpOf<"part">, state: BoundState): RowBound {
  const from = op.x.width / op.groups;
  const size = op.out.width / op.groups;
  return (row) => {
    const { errors } = boundedRow(state, op.x, row);
    return new Float64Array(op.out.width).map(
      (_, i) => errors[Math.floor(i / size) * from + op.first + (i % size)]!,
    );
  };
}

export function selectBound(op: OpOf<"select">, state: BoundState, step: Step): RowBound {
  return (row) => boundedRow(state, op.x, step.outputRow[row]!).errors.slice();
}

/** Any index whose value may be the largest is a correct answer: none but the first largest if x is exact. */
export function argmaxBound(op: OpOf<"argmax">, state: BoundState): RowBound {
  return (row) => {
    const { values, errors } = boundedRow(state, op.x, row);
    const best = values.indexOf(values.reduce((a, b) => Math.max(a, b)));
    const least = values[best]! - errors[best]!;
    let distance = 0;
    values.forEach((value, i) => {
      const mayWin = errors[i]! + errors[best]! > 0 && value + errors[i]! >= least;
      if (mayWin) distance = Math.max(distance, Math.abs(i - best));
    });
    return Float64Array.of(distance);
  };
}

/** The r-th largest of values off by at most e is off by at most e; its index is one of those that may be the r-th. */
export function topKBound(op: OpOf<"top-k">, state: BoundState): RowBound {
  return (row) => {
    const { values, errors } = boundedRow(state, op.x, row);
    const error = errors.reduce((most, one) => Math.max(most, one), 0);
    const order = Array.from(values, (_, i) => i).sort((a, b) => values[b]! - values[a]! || a - b);
    const bounds = new Float64Array(op.out.width);
    for (let rank = 0; rank < op.out.width / 2; rank++) {
      const index = order[rank]!;
      values.forEach((value, i) => {
        const mayTakePlace = error > 0 && Math.abs(value - values[index]!) <= 2 * error;
        if (mayTakePlace) bounds[2 * rank] = Math.max(bounds[2 * rank]!, Math.abs(i - index));
      });
      bounds[2 * rank + 1] = error;
    }
    return bounds;
  };
}
