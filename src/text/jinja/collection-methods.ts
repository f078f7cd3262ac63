/** The methods of list, tuple, dict, range and dict views that the sandbox allows. */
import { type Arguments, matchArguments } from "./arguments.ts";
import { equal, hashKey } from "./compare.ts";
import { fail } from "./errors.ts";
import { iterate } from "./iterate.ts";
import {
  Callable,
  Dict,
  type List,
  type Range,
  type Run,
  type Tuple,
  type Value,
  View,
} from "./values.ts";

type Apply<Self> = (self: Self, args: Arguments, run: Run) => Value;

/** By name: parameters and what it does. */
type Methods<Self> = Readonly<Record<string, readonly [parameters: string, apply: Apply<Self>]>>;

function bind<Self>(methods: Methods<Self>, self: Self, name: string): Callable | undefined {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method === undefined) return undefined;
  const [parameters, apply] = method;
  const match = matchArguments(name, parameters);
  return new Callable(name, (call, run) => apply(self, match(call, run), run), {
    type: "builtin_function_or_method",
  });
}

const sequenceMethods: Methods<Iterable<Value>> = {
  count: ["value, /", countOf],
  index: ["value, start?, stop?, /", indexOf],
};

const listMethods: Methods<List> = { copy: ["/", (list) => list] };

const rangeMethods: Methods<Iterable<Value>> = {
  count: ["value, /", countOf],
  index: ["value, /", indexOf],
};

const dictMethods: Methods<Dict> = {
  copy: ["/", (dict) => dict],
  fromkeys: ["iterable, value?, /", (_, args, run) => fromKeys(args, run)],
  get: ["key, default?, /", get],
  items: ["/", (dict) => new View("items", dict)],
  keys: ["/", (dict) => new View("keys", dict)],
  values: ["/", (dict) => new View("values", dict)],
};

const mutators: Readonly<Record<"list" | "dict", readonly string[]>> = {
  list: ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"],
  dict: ["clear", "pop", "popitem", "setdefault", "update"],
};

/** True for a method that would change the value: the sandbox forbids it. */
export function isMutator(value: List | Dict, name: string): boolean {
  return mutators[value.kind].includes(name);
}

export function listMethod(list: List, name: string): Callable | undefined {
  return bind(sequenceMethods, list.items, name) ?? bind(listMethods, list, name);
}

export function tupleAttribute(tuple: Tuple, name: string): Value | undefined {
  const field = tuple.fields.indexOf(name);
  return field < 0 ? bind(sequenceMethods, tuple.items, name) : tuple.items[field];
}

export function dictMethod(dict: Dict, name: string): Callable | undefined {
  return bind(dictMethods, dict, name);
}

export function rangeAttribute(range: Range, name: string, run: Run): Value | undefined {
  if (name === "start" || name === "stop" || name === "step") return range[name];
  return bind(rangeMethods, iterate(range, run), name);
}

export function viewAttribute(view: View, name: string): Value | undefined {
  if (name === "mapping" || (name === "isdisjoint" && view.of !== "values")) {
    fail("unsupported", `dict_${view.of}.${name} is not supported`);
  }
  return undefined;
}

function countOf(items: Iterable<Value>, args: Arguments, run: Run): bigint {
  let count = 0n;
  for (const item of items) if (equal(item, args.at(0), run)) count++;
  return count;
}

function indexOf(iterable: Iterable<Value>, args: Arguments, run: Run): bigint {
  const items = [...iterable];
  const start = clamp(args.count(1, 0), items.length);
  const stop = clamp(args.count(2, items.length), items.length);
  for (let index = start; index < stop; index++) {
    if (equal(items[index] ?? null, args.at(0), run)) return BigInt(index);
  }
  return fail("value", "the value is not in the list");
}

function clamp(index: number, length: number): number {
  return Math.max(0, Math.min(length, index < 0 ? index + length : index));
}

function get(dict: Dict, args: Arguments, run: Run): Value {
  const found = dict.entries.get(hashKey(args.at(0), run));
  return found === undefined ? args.at(1) : found[1];
}

function fromKeys(args: Arguments, run: Run): Dict {
  const entries = new Map<ReturnType<typeof hashKey>, readonly [Value, Value]>();
  for (const key of iterate(args.at(0), run)) {
    run.budget.makeItems(1);
    entries.set(hashKey(key, run), [key, args.at(1)]);
  }
  return new Dict(entries);
}
