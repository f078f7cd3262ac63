/** for x in value: every item counts as a step. */
import { codePointsOf } from "./code-points.ts";
import { fail } from "./errors.ts";
import { Iteration, type Run, typeName, type Value, viewItems } from "./values.ts";

/** True if iter(value) works. */
export function isIterable(value: Value): boolean {
  if (typeof value === "string") return true;
  if (value === null || typeof value !== "object") return false;
  return value.kind !== "instance" || value.type === "LoopContext";
}

/** @throws TemplateError of kind "type", at once, for what has no items */
export function iterate(value: Value, run: Run): Iterable<Value> {
  return counted(itemsOf(value, run), run);
}

function itemsOf(value: Value, run: Run): Iterable<Value> {
  if (typeof value === "string") return codePointsOf(value, run.budget);
  if (value === null || typeof value !== "object") return failIteration(value);
  switch (value.kind) {
    case "markup":
      return codePointsOf(value.text, run.budget);
    case "list":
    case "tuple":
      return value.items;
    case "dict":
      return keysOf(value.entries.values());
    case "view":
      return viewItems(value);
    case "range":
      return numbersOf(value);
    case "undefined":
      return [];
    case "iteration":
      return remaining(value);
    case "instance":
      return failIteration(value);
    default:
      return value satisfies never;
  }
}

function* counted(items: Iterable<Value>, run: Run): Generator<Value> {
  for (const item of items) {
    run.budget.step();
    yield item;
  }
}

function* keysOf(entries: Iterable<readonly [Value, Value]>): Generator<Value> {
  for (const [key] of entries) yield key;
}

function* numbersOf(range: {
  readonly start: bigint;
  readonly step: bigint;
  readonly length: number;
}): Generator<Value> {
  for (let index = 0; index < range.length; index++) {
    yield range.start + BigInt(index) * range.step;
  }
}

/** Leaves the rest to the next reader: unlike `for … of` over a generator, it does not end the iteration. */
function* remaining(iteration: Iteration): Generator<Value> {
  for (;;) {
    const next = iteration.next();
    if (next === undefined) return;
    yield next;
  }
}

function failIteration(value: Value): never {
  fail("type", `a ${typeName(value)} has no items`);
}

/** list(value) */
export function listItems(value: Value, run: Run): readonly Value[] {
  if (
    value !== null &&
    typeof value === "object" &&
    (value.kind === "list" || value.kind === "tuple")
  ) {
    return value.items;
  }
  const items: Value[] = [];
  for (const item of iterate(value, run)) {
    run.budget.makeItems(1);
    items.push(item);
  }
  return items;
}

/** A generator: what it does, and fails with, comes when it is read. */
export function lazily(items: () => Iterable<Value>): Iteration {
  return new Iteration(
    (function* () {
      yield* items();
    })(),
  );
}
