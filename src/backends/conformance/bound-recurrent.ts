/**
 * Bounds of layers with a state. A recurrence carried element by element would double its bounds with every row: they are
 * carried as lengths of vectors, which I − β k kᵀ does not make longer (0 ≤ β ≤ 1, ‖k‖ ≤ 1).
 */
import type { OpOf } from "../../ops/op.ts";
import type { Step } from "../../ops/program.ts";
import { headInputs, softplus } from "../reference/recurrent.ts";
import { copyState } from "../reference/recurrent-state.ts";
import { slotData, weightData } from "../reference/state.ts";
import {
  accumulation,
  activationError,
  exponentialError,
  flushed,
  roundoff,
} from "../tolerance.ts";
import type { RowBound } from "./bound-rows.ts";
import { type BoundState, boundedRow, weightMagnitudes } from "./bound-state.ts";

/** A sum of `taps` products; the state's own errors are those of the inputs it was made of. Advances the errors. */
export function convolveBound(op: OpOf<"convolve">, state: BoundState, step: Step): RowBound {
  const { shape, inputs } = state.reference.recurrent[op.layer]!;
  const { positions, channels } = shape.conv;
  const size = positions * channels;
  const taps = weightMagnitudes(state, op.weight).terms;
  const errors = state.stateErrors[op.layer]!.inputs;
  // The reference advances behind all bounds of the op: the inputs before each row are followed here.
  const held = inputs.slice();
  return (row) => {
    const begin = step.sequence[row]! * size;
    if (step.position[row] === 0) {
      held.fill(0, begin, begin + size);
      errors.fill(0, begin, begin + size);
    }
    const x = boundedRow(state, op.x, row);
    const bounds = new Float64Array(channels);
    for (let channel = 0; channel < channels; channel++) {
      const at = channel * (positions + 1);
      let carried = taps[at + positions]! * x.errors[channel]!;
      let sizes = taps[at + positions]! * Math.abs(x.values[channel]!);
      for (let p = 0; p < positions; p++) {
        const from = begin + p * channels + channel;
        carried += taps[at + p]! * errors[from]!;
        sizes += taps[at + p]! * Math.abs(held[from]!);
      }
      // Three roundings more for the weight that is made from its code.
      bounds[channel] = carried + accumulation(positions + 4) * sizes + flushed;
    }
    shift(held, x.values, { begin, size });
    shift(errors, x.errors, { begin, size });
    return bounds;
  };
}

function shift<Numbers extends Float32Array | Float64Array>(
  held: Numbers,
  row: Numbers,
  { begin, size }: { readonly begin: number; readonly size: number },
): void {
  const own = row.slice(0, Math.min(size, row.length));
  held.copyWithin(begin, begin + row.length, begin + size);
  held.set(own, begin + Math.max(0, size - row.length));
}

/** Of one head and row: k and q of unit length, and by how much the vectors they really are may differ from them. */
interface Unit {
  readonly values: Float64Array;
  readonly errors: Float64Array;
}

/**
 * For each column s of a head's matrix, off by a vector of length n: s' = a·s + k·d with d = β(v − a·k·s). The old error
 * becomes a·(I − β k kᵀ) of itself, no longer than (a + e(a))·n; what the inputs are off by and the roundings are added.
 */
export function deltaRuleBound(op: OpOf<"delta-rule">, state: BoundState, step: Step): RowBound {
  const { shape, matrices } = state.reference.recurrent[op.layer]!;
  const { heads, rows: keyWidth, columns: valueWidth } = shape.state;
  const lengths = state.stateErrors[op.layer]!.columns;
  const followed = matrices.slice();
  const column = new Float64Array(keyWidth);
  return (row) => {
    const bounds = new Float64Array(op.out.width);
    for (let head = 0; head < heads; head++) {
      const place = step.sequence[row]! * heads + head;
      const matrix = followed.subarray(
        place * keyWidth * valueWidth,
        (place + 1) * keyWidth * valueWidth,
      );
      const columnErrors = lengths.subarray(place * valueWidth, (place + 1) * valueWidth);
      if (step.position[row] === 0) {
        matrix.fill(0);
        columnErrors.fill(0);
      }
      const inputs = headErrors(op, state, { row, head });
      for (let c = 0; c < valueWidth; c++) {
        for (let i = 0; i < keyWidth; i++) column[i] = matrix[i * valueWidth + c]!;
        const bound = columnBound(inputs, column, { c, length: columnErrors[c]! });
        for (let i = 0; i < keyWidth; i++) matrix[i * valueWidth + c] = column[i]!;
        columnErrors[c] = bound.length;
        bounds[head * valueWidth + c] = bound.out;
      }
    }
    return bounds;
  };
}

interface HeadErrors {
  readonly q: Unit;
  readonly k: Unit;
  readonly v: { readonly values: Float32Array; readonly errors: Float64Array };
  readonly decay: { readonly value: number; readonly error: number };
  readonly strength: { readonly value: number; readonly error: number };
}

/** Replaces the column by the next one. */
function columnBound(
  { q, k, v, decay: a, strength: b }: HeadErrors,
  column: Float64Array,
  { c, length }: { readonly c: number; readonly length: number },
): { readonly length: number; readonly out: number } {
  const keyWidth = column.length;
  let recalled = 0;
  let recalledSize = 0;
  let recalledError = 0;
  let before = 0;
  for (let i = 0; i < keyWidth; i++) {
    const s = column[i]!;
    recalled += k.values[i]! * s;
    recalledSize += Math.abs(k.values[i]! * s);
    recalledError += k.errors[i]! * Math.abs(s);
    before += s * s;
  }
  const value = v.values[c]!;
  const difference = value - a.value * recalled;
  const delta = b.value * difference;
  // Of a·k·s, beside the error that the column has already: the inputs', the sum's, two products'.
  const sum = a.value * (recalledError + accumulation(keyWidth + 4) * recalledSize);
  const recall = sum + a.error * Math.abs(recalled) + 4 * roundoff * a.value * Math.abs(recalled);
  const deltaError =
    b.value * (v.errors[c]! + recall) +
    b.error * Math.abs(difference) +
    4 * roundoff * b.value * (Math.abs(value) + a.value * Math.abs(recalled));
  const kLength = lengthOf(k.values) + lengthOf(k.errors);
  let after = 0;
  let out = 0;
  let outSize = 0;
  let outError = 0;
  for (let i = 0; i < keyWidth; i++) {
    const s = Math.fround(a.value * column[i]! + k.values[i]! * delta);
    column[i] = s;
    after += s * s;
    out += q.values[i]! * s;
    outSize += Math.abs(q.values[i]! * s);
    outError += q.errors[i]! * Math.abs(s);
  }
  const sizes = a.value * Math.sqrt(before) + kLength * Math.abs(delta) + Math.sqrt(after);
  const next =
    (a.value + a.error) * length +
    a.error * Math.sqrt(before) +
    kLength * deltaError +
    lengthOf(k.errors) * (Math.abs(delta) + a.value * b.value * length) +
    // Two products, a sum and the reference's own rounding.
    3 * roundoff * sizes +
    Math.sqrt(keyWidth) * flushed;
  const carried = next * (lengthOf(q.values) + lengthOf(q.errors));
  const rounding = accumulation(keyWidth + 6) * outSize + 2 * roundoff * Math.abs(out);
  return { length: next, out: carried + outError + rounding + flushed };
}

function headErrors(
  op: OpOf<"delta-rule">,
  state: BoundState,
  at: { readonly row: number; readonly head: number },
): HeadErrors {
  const { row, head } = at;
  const { reference } = state;
  const { heads, rows: keyWidth, columns: valueWidth } = reference.recurrent[op.layer]!.shape.state;
  const { q, k, v, decay, strength } = headInputs(op, reference, at);
  const x = boundedRow(state, op.x, row);
  const keyAt = (Math.floor(head / op.keyRun) % op.keyHeads) * keyWidth;
  const keys = op.keyHeads * keyWidth;
  const gate = row * heads + head;
  const valueAt = 2 * keys + head * valueWidth;
  const part = (from: number, length: number) => ({
    values: x.values.subarray(from, from + length),
    errors: x.errors.subarray(from, from + length),
  });
  const strengthInput = {
    value: slotData(reference, op.strength)[gate]!,
    error: boundedRow(state, op.strength, row).errors[head]!,
  };
  return {
    q: unitErrors(q, part(keyAt, keyWidth), op.epsilon, 1 / Math.sqrt(keyWidth)),
    k: unitErrors(k, part(keys + keyAt, keyWidth), op.epsilon, 1),
    v: { values: v, errors: x.errors.subarray(valueAt, valueAt + valueWidth) },
    decay: { value: decay, error: decayError(op, state, at, decay) },
    strength: {
      value: strength,
      error: activationError({ kind: "sigmoid" }, strengthInput.value, strengthInput.error),
    },
  };
}

/** A norm moves by no more than the vector does; n + 3 roundings of the sum of squares count half, five of root and quotient. */
function unitErrors(
  values: Float64Array,
  x: { readonly values: Float32Array; readonly errors: Float64Array },
  epsilon: number,
  length: number,
): Unit {
  const norm = Math.max(lengthOf(x.values), epsilon);
  const share = lengthOf(x.errors) / norm + accumulation(values.length + 3) / 2 + 8 * roundoff;
  return {
    values,
    errors: values.map((value, i) => (x.errors[i]! * length) / norm + Math.abs(value) * share),
  };
}

/**
 * e^(rate·softplus(x)): softplus moves by no more than x does. Of its own it has the errors of e^x, weighed by sigmoid(x), and
 * of the logarithm: 2^-21 between 1/2 and 2, else 3 units (WGSL).
 */
function decayError(
  op: OpOf<"delta-rule">,
  state: BoundState,
  { row, head }: { readonly row: number; readonly head: number },
  decay: number,
): number {
  const { reference } = state;
  const gate = boundedRow(state, op.decay, row);
  const bias = weightData(reference, op.bias)[head]!;
  const x = gate.values[head]! + bias;
  const sizes = Math.abs(gate.values[head]!) + Math.abs(bias);
  const weight = 1 / (1 + Math.exp(-x));
  const own = weight * exponentialError(x) + 2 ** -21 + 8 * roundoff * softplus(x);
  const plusError = gate.errors[head]! + 4 * roundoff * sizes + own;
  const rate = Math.abs(weightData(reference, op.rate)[head]!);
  const exponent = rate * softplus(x);
  const error = rate * plusError + 6 * roundoff * exponent;
  return decay * (Math.expm1(error) + exponentialError(exponent)) + flushed;
}

function lengthOf(values: Float32Array | Float64Array): number {
  let squares = 0;
  for (const value of values) squares += value * value;
  return Math.sqrt(squares);
}

/** One state of every layer to the place of another. */
export function copyStateErrors(state: BoundState, from: number, to: number): void {
  for (const [layer, errors] of state.stateErrors.entries()) {
    const shape = state.reference.recurrent[layer]?.shape;
    if (errors === undefined || shape === undefined) continue;
    copyState(errors.inputs, shape.conv.positions * shape.conv.channels, { from, to });
    copyState(errors.columns, shape.state.heads * shape.state.columns, { from, to });
  }
}
