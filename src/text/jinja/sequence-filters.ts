/** Built-in filters over lists, dicts and everything else that has items. */

import type { Arguments } from "./arguments.ts";
import { calculate } from "./arithmetic.ts";
import { ignoreCase, makeGetter, makeMultiGetter } from "./attribute-path.ts";
import { countCodePoints } from "./code-points.ts";
import { equal, hashKey, isLess, sortBy } from "./compare.ts";
import { fail } from "./errors.ts";
import { type Filter, filter } from "./filter.ts";
import { isIterable, iterate, lazily, listItems } from "./iterate.ts";
import { toText } from "./represent.ts";
import { slice } from "./slices.ts";
import {
  Dict,
  defined,
  Iteration,
  integerOf,
  List,
  lengthOf,
  orElse,
  type Run,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

export const sequenceFilters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  [
    "batch",
    filter("batch", "linecount, fill_with?", (input, args, run) =>
      lazily(() => batch(input, args, run)),
    ),
  ],
  ["count", filter("len", "/", (input, _, run) => BigInt(countItems(input, run)))],
  ["dictsort", filter("dictsort", "case_sensitive?, by?, reverse?", sortDict)],
  ["first", filter("first", "", first)],
  ["groupby", filter("groupby", "attribute, default?, case_sensitive?", groupBy)],
  ["items", filter("items", "", (input, _, run) => lazily(() => pairsOf(input, run)))],
  ["join", filter("join", "d?, attribute?", join)],
  ["last", filter("last", "", (input, _, run) => last(input, run))],
  ["length", filter("len", "/", (input, _, run) => BigInt(countItems(input, run)))],
  ["list", filter("list", "", (input, _, run) => new List(listItems(input, run)))],
  [
    "max",
    filter("max", "case_sensitive?, attribute?", (input, args, run) =>
      extreme(input, "most", args, run),
    ),
  ],
  [
    "min",
    filter("min", "case_sensitive?, attribute?", (input, args, run) =>
      extreme(input, "least", args, run),
    ),
  ],
  [
    "random",
    filter("random", "", () =>
      fail("unsupported", "|random is not supported: a prompt that differs each time"),
    ),
  ],
  ["reverse", filter("reverse", "", (input, _, run) => reverse(input, run))],
  [
    "slice",
    filter("slice", "slices, fill_with?", (input, args, run) =>
      lazily(() => divide(input, args, run)),
    ),
  ],
  ["sort", filter("sort", "reverse?, case_sensitive?, attribute?", sort)],
  ["sum", filter("sum", "attribute?, start?", sum)],
  [
    "unique",
    filter("unique", "case_sensitive?, attribute?", (input, args, run) =>
      lazily(() => unique(input, args, run)),
    ),
  ],
]);

/** len(value) */
function countItems(value: Value, run: Run): number {
  if (typeof value === "string") return countCodePoints(value, run.budget);
  const text = textOf(value);
  if (text !== undefined) return countCodePoints(text, run.budget);
  const isObject = value !== null && typeof value === "object";
  const length = isObject ? lengthOf(value, run) : undefined;
  return length ?? fail("type", `a ${typeName(value)} has no length`);
}

function* batch(input: Value, args: Arguments, run: Run): Generator<Value> {
  const size = args.at(0);
  const fill = args.given(1);
  let items: Value[] = [];
  for (const item of iterate(input, run)) {
    if (equal(BigInt(items.length), size, run)) {
      yield new List(items);
      items = [];
    }
    run.budget.makeItems(1);
    items.push(item);
  }
  if (items.length === 0) return;
  if (fill === undefined || !isLess(BigInt(items.length), size, run)) return yield new List(items);
  const missing = integerOf(size) ?? fail("type", "batch wants an integer to fill up to");
  const filler = calculate("*", new List([fill]), missing - BigInt(items.length), run);
  yield calculate("+", new List(items), filler, run);
}

function* divide(input: Value, args: Arguments, run: Run): Generator<Value> {
  const items = listItems(input, run);
  const count = integerOf(defined(args.at(0))) ?? fail("type", "slice wants a number of slices");
  if (count === 0n) fail("value", "division by zero");
  const fill = args.given(1);
  const slices = Number(count);
  const size = Math.floor(items.length / slices);
  const longer = items.length % slices;
  let start = 0;
  for (let index = 0; index < slices; index++) {
    const end = start + size + (index < longer ? 1 : 0);
    run.budget.makeItems(end - start + 1);
    const part = items.slice(start, end);
    yield new List(fill !== undefined && index >= longer ? [...part, fill] : part);
    start = end;
  }
}

function sortDict(input: Value, args: Arguments, run: Run): Value {
  const by = args.at(1, "key");
  if (by !== "key" && by !== "value") fail("value", 'dictsort sorts by "key" or "value"');
  const dict = defined(input);
  if (!(dict instanceof Dict)) return fail("type", `a ${typeName(dict)} has no items to sort`);
  const isCased = args.isTrue(0);
  const position = by === "key" ? 0 : 1;
  const key = (pair: Value): Value => {
    const value = pair instanceof Tuple ? (pair.items[position] ?? null) : pair;
    return isCased ? value : ignoreCase(value, run);
  };
  const pairs = [...dict.entries.values()].map((entry) => new Tuple(entry));
  return new List(sortBy(pairs, { key, isReverse: args.count(2, 0) !== 0, run }));
}

function first(input: Value, _: Arguments, run: Run): Value {
  if (input instanceof Iteration) return orElse(input.next(), () => nothing("first item"));
  for (const item of iterate(input, run)) return item;
  return nothing("first item");
}

function nothing(what: string): Undefined {
  return new Undefined(`no ${what}: the sequence is empty`);
}

/** reversed(value); undefined where Python raises a TypeError. */
function reversed(input: Value, run: Run): readonly Value[] | undefined {
  if (input === null || typeof input !== "object") {
    return typeof input === "string" ? [...listItems(input, run)].reverse() : undefined;
  }
  if (input.kind === "iteration" || input.kind === "instance") return undefined;
  return [...listItems(input, run)].reverse();
}

function last(input: Value, run: Run): Value {
  const items = reversed(input, run);
  if (items === undefined) return fail("type", `a ${typeName(input)} cannot be read backwards`);
  return orElse(items[0], () => nothing("last item"));
}

function reverse(input: Value, run: Run): Value {
  if (textOf(input) !== undefined) {
    return slice(input, { start: null, stop: null, step: -1n }, run);
  }
  const items = reversed(input, run);
  if (items !== undefined) return new Iteration(items);
  if (!isIterable(input)) fail("type", `a ${typeName(input)} has no items`);
  return new List([...listItems(input, run)].reverse());
}

function groupBy(input: Value, args: Arguments, run: Run): Value {
  const isCased = args.isTrue(2);
  const fallback = args.at(1);
  const key = makeGetter(args.at(0), run, { ignoresCase: !isCased, fallback });
  const written = makeGetter(args.at(0), run, { fallback });
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sortBy(listItems(input, run), { key, isReverse: false, run })) {
    const group = groups.at(-1);
    const itemKey = key(item);
    if (group !== undefined && equal(group.key, itemKey, run)) group.items.push(item);
    else groups.push({ key: itemKey, items: [item] });
  }
  const tuples = groups.map((group) => {
    const grouper = isCased ? group.key : written(group.items[0] ?? null);
    return new Tuple([grouper, new List(group.items)], ["grouper", "list"]);
  });
  return new List(tuples);
}

function* pairsOf(input: Value, run: Run): Generator<Value> {
  if (input instanceof Undefined) return;
  if (!(input instanceof Dict)) fail("type", `a ${typeName(input)} has no pairs`);
  for (const entry of input.entries.values()) {
    run.budget.makeItems(2);
    yield new Tuple(entry);
  }
}

function join(input: Value, args: Arguments, run: Run): Value {
  const separator = toText(args.at(0, ""), run);
  const path = args.given(1);
  const get = path === undefined ? undefined : makeGetter(path, run);
  const parts: string[] = [];
  for (const item of iterate(input, run)) {
    const text = toText(get === undefined ? item : get(item), run);
    run.budget.make(text.length + separator.length);
    parts.push(text);
  }
  return parts.join(separator);
}

function extreme(input: Value, which: "least" | "most", args: Arguments, run: Run): Value {
  const get = makeGetter(args.at(1), run, { ignoresCase: !args.isTrue(0) });
  let best: { readonly item: Value; readonly key: Value } | undefined;
  for (const item of iterate(input, run)) {
    const key = get(item);
    const isBetter =
      best === undefined ||
      (which === "least" ? isLess(key, best.key, run) : isLess(best.key, key, run));
    if (isBetter) best = { item, key };
  }
  return best === undefined ? nothing("aggregated item") : best.item;
}

function sort(input: Value, args: Arguments, run: Run): Value {
  const key = makeMultiGetter(args.at(2), run, { ignoresCase: !args.isTrue(1) });
  return new List(sortBy(listItems(input, run), { key, isReverse: args.count(0, 0) !== 0, run }));
}

function sum(input: Value, args: Arguments, run: Run): Value {
  const path = args.given(0);
  const get = path === undefined ? undefined : makeGetter(path, run);
  let total = args.at(1, 0n);
  if (textOf(total) !== undefined) fail("type", "sum cannot start with a text");
  for (const item of iterate(input, run)) {
    const value = get === undefined ? item : get(item);
    total = calculate("+", total, value, run);
  }
  return total;
}

function* unique(input: Value, args: Arguments, run: Run): Generator<Value> {
  const get = makeGetter(args.at(1), run, { ignoresCase: !args.isTrue(0) });
  const seen = new Set<ReturnType<typeof hashKey>>();
  for (const item of iterate(input, run)) {
    const key = hashKey(get(item), run);
    if (seen.has(key)) continue;
    seen.add(key);
    yield item;
  }
}
