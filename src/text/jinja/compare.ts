/** ==, <, hash and `in` of Python's values. */
import { fail } from "./errors.ts";
import { iterate } from "./iterate.ts";
import {
  Dict,
  defined,
  type HashKey,
  List,
  Markup,
  numberOf,
  Range,
  type Run,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
  View,
} from "./values.ts";

/** a == b */
export function equal(a: Value, b: Value, run: Run): boolean {
  run.budget.enter();
  const result = equalNumbers(a, b) ?? equalTexts(a, b, run) ?? equalObjects(a, b, run);
  run.budget.leave();
  return result;
}

function equalNumbers(a: Value, b: Value): boolean | undefined {
  const left = numberOf(a);
  const right = numberOf(b);
  if (left === undefined || right === undefined) return undefined;
  // biome-ignore lint/suspicious/noDoubleEquals: == compares a bigint with a number by value, as Python does
  return left == right;
}

function equalTexts(a: Value, b: Value, run: Run): boolean | undefined {
  const left = textOf(a);
  const right = textOf(b);
  if (left === undefined || right === undefined) return undefined;
  if (left.length !== right.length) return false;
  run.budget.read(left.length);
  return left === right;
}

function equalObjects(a: Value, b: Value, run: Run): boolean {
  if (a instanceof List && b instanceof List) return equalItems(a.items, b.items, run);
  if (a instanceof Tuple && b instanceof Tuple) return equalItems(a.items, b.items, run);
  if (a instanceof Dict && b instanceof Dict) return equalDicts(a, b, run);
  if (a instanceof Range && b instanceof Range) return hashKey(a, run) === hashKey(b, run);
  if (a instanceof View && b instanceof View) return equalViews(a, b, run);
  if (a instanceof Undefined && b instanceof Undefined) return true;
  return a === b;
}

function equalItems(a: readonly Value[], b: readonly Value[], run: Run): boolean {
  return a.length === b.length && a.every((item, index) => equal(item, b[index] ?? null, run));
}

function equalDicts(a: Dict, b: Dict, run: Run): boolean {
  if (a.entries.size !== b.entries.size) return false;
  for (const [key, [, value]] of a.entries) {
    const other = b.entries.get(key);
    if (other === undefined || !equal(value, other[1], run)) return false;
  }
  return true;
}

/** Keys and items compare as sets, values by identity. */
function equalViews(a: View, b: View, run: Run): boolean {
  if (a === b) return true;
  if (a.of === "values" || b.of === "values") return false;
  if (a.of === "items" && b.of === "items") return equalDicts(a.dict, b.dict, run);
  if (a.dict.entries.size !== b.dict.entries.size) return false;
  const keys = new Set([...iterate(a, run)].map((item) => hashKey(item, run)));
  return [...iterate(b, run)].every((item) => keys.has(hashKey(item, run)));
}

/** a < b. @throws TemplateError of kind "type" where Python has no order. */
export function isLess(a: Value, b: Value, run: Run): boolean {
  run.budget.step();
  const left = numberOf(a);
  const right = numberOf(b);
  if (left !== undefined && right !== undefined) return left < right;
  const leftText = textOf(a);
  const rightText = textOf(b);
  if (leftText !== undefined && rightText !== undefined) {
    run.budget.read(Math.min(leftText.length, rightText.length));
    return isLessText(leftText, rightText);
  }
  if (a instanceof List && b instanceof List) return isLessItems(a.items, b.items, run);
  if (a instanceof Tuple && b instanceof Tuple) return isLessItems(a.items, b.items, run);
  defined(a);
  defined(b);
  if (a instanceof View && b instanceof View && a.of !== "values" && b.of !== "values") {
    fail("unsupported", "comparison of dict views as sets is not supported");
  }
  return fail("type", `a ${typeName(a)} and a ${typeName(b)} have no order`);
}

/** By code points: in UTF-16, U+10000 comes before U+FFFF. */
function isLessText(a: string, b: string): boolean {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return rank(left) < rank(right);
  }
  return a.length < b.length;
}

/** Surrogates of a pair stand for code points above all single units; a lone one is left as that. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

function isLessItems(a: readonly Value[], b: readonly Value[], run: Run): boolean {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (right === undefined) return false;
    if (!equal(left, right, run)) return isLess(left, right, run);
  }
  return a.length < b.length;
}

/** @throws TemplateError of kind "type" for what has no hash */
export function hashKey(value: Value, run: Run): HashKey {
  run.budget.step();
  if (value === null) return "n";
  switch (typeof value) {
    case "boolean":
    case "bigint":
      return `i${BigInt(value)}`;
    case "number":
      return Number.isInteger(value) ? `i${BigInt(value)}` : `f${value}`;
    case "string":
      return `s${value}`;
    default:
      return hashObject(value, run);
  }
}

type ObjectValue = Exclude<Value, null | boolean | bigint | number | string>;

function hashObject(value: ObjectValue, run: Run): HashKey {
  switch (value.kind) {
    case "markup":
      return `s${value.text}`;
    case "undefined":
      return "u";
    case "tuple":
      return hashTuple(value.items, run);
    case "range":
      return hashRange(value);
    case "instance":
    case "iteration":
      return value;
    default:
      return fail("type", `a ${typeName(value)} cannot be a key`);
  }
}

function hashTuple(items: readonly Value[], run: Run): string {
  const keys = items.map((item) => {
    const key = hashKey(item, run);
    if (typeof key === "string") return `${key.length}:${key}`;
    return fail("unsupported", "a tuple with a function cannot be a key here");
  });
  const key = `t${keys.join("")}`;
  run.budget.make(key.length);
  return key;
}

/** Ranges are equal when they give the same numbers. */
function hashRange({ start, step, length }: Range): string {
  if (length === 0) return "r0";
  return length === 1 ? `r1,${start}` : `r${length},${start},${step}`;
}

/** item in container */
export function contains(container: Value, item: Value, run: Run): boolean {
  const text = textOf(container);
  if (text !== undefined) {
    const part = textOf(item);
    if (part === undefined) fail("type", `a ${typeName(item)} cannot be in a text`);
    run.budget.read(text.length + part.length);
    return text.includes(part);
  }
  if (container instanceof Dict) return container.entries.has(hashKey(item, run));
  if (container instanceof View && container.of === "keys") {
    return container.dict.entries.has(hashKey(item, run));
  }
  for (const member of iterate(container, run)) {
    if (member === item || equal(member, item, run)) return true;
  }
  return false;
}

/** is: identity, where it does not depend on how Python keeps its values. */
export function isSame(a: Value, b: Value): boolean {
  if (typeName(a) !== typeName(b)) return false;
  if (typeof a === "bigint") return a === b && (isKept(a) || failIdentity(a));
  if (typeof a === "string") return a === b && (isKeptText(a) || failIdentity(a));
  if (typeof a === "number" || a instanceof Markup) return a === b && failIdentity(a);
  if (a instanceof Tuple && b instanceof Tuple && a.items.length + b.items.length === 0)
    return true;
  return a === b;
}

/** CPython keeps one object for each of these. */
function isKept(value: bigint): boolean {
  return value >= -5n && value <= 256n;
}

function isKeptText(text: string): boolean {
  return text.length === 0 || (text.length === 1 && text.charCodeAt(0) < 256);
}

function failIdentity(value: Value): never {
  fail(
    "unsupported",
    `whether two equal values of type ${typeName(value)} are one is not known here`,
  );
}

/** An order of `values` by `<` of their keys: stable, also backwards. */
export function sortBy(
  values: readonly Value[],
  order: { readonly key: (value: Value) => Value; readonly isReverse: boolean; readonly run: Run },
): Value[] {
  const { key, isReverse, run } = order;
  run.budget.makeItems(values.length);
  const keyed = values.map((value) => ({ value, key: key(value) }));
  const sign = isReverse ? -1 : 1;
  keyed.sort((a, b) => {
    if (isLess(a.key, b.key, run)) return -sign;
    return isLess(b.key, a.key, run) ? sign : 0;
  });
  return keyed.map(({ value }) => value);
}
