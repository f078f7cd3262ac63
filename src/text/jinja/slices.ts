/** value[start:stop:step] */
import { codePointsOf, sliceCodePoints } from "./code-points.ts";
import { fail } from "./errors.ts";
import {
  defined,
  integerOf,
  List,
  Markup,
  Range,
  type Run,
  Tuple,
  textOf,
  typeName,
  type Value,
} from "./values.ts";

export interface Bounds {
  readonly start: Value;
  readonly stop: Value;
  readonly step: Value;
}

export function slice(object: Value, bounds: Bounds, run: Run): Value {
  const value = defined(object);
  const text = textOf(value);
  if (text !== undefined) {
    const part = sliceText(text, bounds, run);
    return value instanceof Markup ? new Markup(part) : part;
  }
  if (value instanceof List) return new List(sliceItems(value.items, bounds, run));
  if (value instanceof Tuple) return new Tuple(sliceItems(value.items, bounds, run));
  if (value instanceof Range) return sliceRange(value, bounds);
  return fail("type", `a ${typeName(value)} cannot be sliced`);
}

function sliceText(text: string, bounds: Bounds, run: Run): string {
  const isWhole = bounds.step === null || bounds.step === 1n;
  const points =
    isWhole && /^[\0-\uD7FF\uE000-\uFFFF]*$/.test(text)
      ? undefined
      : codePointsOf(text, run.budget);
  const indices = indicesOf(points?.length ?? text.length, bounds);
  run.budget.make(indices.count);
  if (points === undefined) {
    return sliceCodePoints(text, indices.start, indices.start + indices.count, run.budget);
  }
  return pick(points, indices).join("");
}

function sliceItems(items: readonly Value[], bounds: Bounds, run: Run): readonly Value[] {
  const indices = indicesOf(items.length, bounds);
  run.budget.makeItems(indices.count);
  return pick(items, indices);
}

function pick<Item>(items: readonly Item[], { start, step, count }: Indices): Item[] {
  if (step === 1) return items.slice(start, start + count);
  const picked: Item[] = [];
  for (let n = 0, index = start; n < count; n++, index += step) {
    picked.push(...items.slice(index, index + 1));
  }
  return picked;
}

function sliceRange(range: Range, bounds: Bounds): Range {
  const { start, step, count } = indicesOf(range.length, bounds);
  const first = range.start + BigInt(start) * range.step;
  const newStep = range.step * BigInt(step);
  const stop = stopIndex(range.length, bounds);
  return new Range(first, range.start + BigInt(stop) * range.step, newStep, count);
}

interface Indices {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** slice.indices() and the length of what it picks. */
function indicesOf(length: number, bounds: Bounds): Indices {
  const step = stepOf(bounds);
  const start = boundary(bounds.start, length, step, step > 0 ? 0 : length - 1);
  const stop = stopIndex(length, bounds);
  return { start, step, count: Math.max(0, Math.ceil((stop - start) / step)) };
}

function stopIndex(length: number, bounds: Bounds): number {
  const step = stepOf(bounds);
  return boundary(bounds.stop, length, step, step > 0 ? length : -1);
}

function stepOf({ step }: Bounds): number {
  if (step === null) return 1;
  const value = indexOf(step);
  return value === 0 ? fail("value", "a slice cannot have step 0") : value;
}

function boundary(bound: Value, length: number, step: number, absent: number): number {
  if (bound === null) return absent;
  const index = indexOf(bound);
  const [least, most] = step > 0 ? [0, length] : [-1, length - 1];
  return Math.min(Math.max(index < 0 ? index + length : index, least), most);
}

/** Far beyond every length, an index counts as the largest. */
function indexOf(value: Value): number {
  const integer = integerOf(defined(value));
  if (integer === undefined) fail("type", `a ${typeName(value)} is no index`);
  const most = 1n << 52n;
  if (integer > most) return Number(most);
  return Number(integer < -most ? -most : integer);
}
