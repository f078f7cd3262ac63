/** The ops that move or add whole rows: embed, add, copy, part, select, activate, mask, argmax, top-k. */

import { activationFunction, hidden } from "../../ops/activation.ts";
import type { OpOf } from "../../ops/op.ts";
import { type ReferenceState, type RowRange, slotData, weightData } from "./state.ts";

/** out[i] = table[token[i]]·scale (+ positions[position[i] + offset]) */
export function embed(op: OpOf<"embed">, state: ReferenceState, range: RowRange): void {
  const { step } = range;
  const width = op.out.width;
  const out = slotData(state, op.out);
  const table = weightData(state, op.table);
  const learned = op.positions && weightData(state, op.positions.weight);
  for (let row = range.first; row < range.end; row++) {
    const from = step.token[row]! * width;
    const positionFrom = (step.position[row]! + (op.positions?.offset ?? 0)) * width;
    for (let i = 0; i < width; i++) {
      const place = learned === undefined ? 0 : learned[positionFrom + i]!;
      out[row * width + i] = table[from + i]! * op.scale + place;
    }
  }
}

export function add(op: OpOf<"add">, state: ReferenceState, range: RowRange): void {
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  const width = op.out.width;
  const { factor = 1 } = op;
  for (let i = range.first * width; i < range.end * width; i++) out[i]! += factor * x[i]!;
}

/** The factor of a position is rounded to f32, as tables of backends hold it. */
export function scale(op: OpOf<"scale">, state: ReferenceState, range: RowRange): void {
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  const { width } = op.out;
  const { cap } = op;
  for (let row = range.first; row < range.end; row++) {
    const factor = scaleFactor(op, range.step.position[row]!);
    for (let i = row * width; i < (row + 1) * width; i++) {
      const scaled = factor * x[i]!;
      out[i] = cap === undefined ? scaled : cap * Math.tanh(scaled / cap);
    }
  }
}

export function scaleFactor({ factor, byPosition }: OpOf<"scale">, position: number): number {
  if (byPosition === undefined) return factor;
  return factor * byPosition.factors[Math.floor(position / byPosition.length)]!;
}

export function copy(op: OpOf<"copy">, state: ReferenceState, range: RowRange): void {
  const width = op.out.width;
  const x = slotData(state, op.x).subarray(range.first * width, range.end * width);
  slotData(state, op.out).set(x, range.first * width);
}

export function part(op: OpOf<"part">, state: ReferenceState, range: RowRange): void {
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  const from = op.x.width / op.groups;
  const size = op.out.width / op.groups;
  for (let group = range.first * op.groups; group < range.end * op.groups; group++) {
    const begin = group * from + op.first;
    out.set(x.subarray(begin, begin + size), group * size);
  }
}

export function select(op: OpOf<"select">, state: ReferenceState, range: RowRange): void {
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  const width = op.out.width;
  for (let row = range.first; row < range.end; row++) {
    const from = range.step.outputRow[row]! * width;
    out.set(x.subarray(from, from + width), row * width);
  }
}

export function activate(op: OpOf<"activate">, state: ReferenceState, range: RowRange): void {
  const act = activationFunction(op.activation);
  const up = slotData(state, op.up);
  const gate = op.gate && slotData(state, op.gate);
  const out = slotData(state, op.out);
  const width = op.out.width;
  for (let i = range.first * width; i < range.end * width; i++) {
    out[i] = hidden(op.gating, act, up[i]!, gate === undefined ? 0 : gate[i]!);
  }
}

/** |x|·norm is rounded to f32 as in the fast backends, so that they all judge alike; "not below" keeps a NaN. */
export function mask(op: OpOf<"mask">, state: ReferenceState, range: RowRange): void {
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  const width = op.out.width;
  const value = Math.fround(op.value);
  for (let i = range.first * width; i < range.end * width; i++) {
    const norm = op.norms === undefined ? 1 : op.norms[i % width]!;
    out[i] = Math.fround(Math.abs(x[i]!) * norm) < value ? 0 : x[i]!;
  }
}

export function argmax(op: OpOf<"argmax">, state: ReferenceState, range: RowRange): void {
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  const width = op.x.width;
  for (let row = range.first; row < range.end; row++) {
    const values = x.subarray(row * width, (row + 1) * width);
    let best = 0;
    for (let i = 1; i < width; i++) if (values[i]! > values[best]!) best = i;
    out[row] = Number.isFinite(values[best]!) && !values.some(Number.isNaN) ? best : -1;
  }
}

export function topK(op: OpOf<"top-k">, state: ReferenceState, range: RowRange): void {
  const out = slotData(state, op.out);
  const width = op.x.width;
  for (let row = range.first; row < range.end; row++) {
    const x = slotData(state, op.x).subarray(row * width, (row + 1) * width);
    const isNumber = Array.from(x, (value) => Number(!Number.isNaN(value)));
    const order = Array.from(x, (_, i) => i).sort(
      (a, b) => isNumber[a]! - isNumber[b]! || x[b]! - x[a]! || a - b,
    );
    const pairs = order.slice(0, op.out.width / 2).flatMap((i) => [i, x[i]!]);
    out.set(pairs, row * op.out.width);
  }
}
