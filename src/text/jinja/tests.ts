/** All built-in tests, by name: what stands after "is". */
import { calculate } from "./arithmetic.ts";
import { contains, equal, hashKey, isLess, isSame } from "./compare.ts";
import { type Filter, filter } from "./filter.ts";
import { isIterable } from "./iterate.ts";
import { isAllCase } from "./letters.ts";
import { toText } from "./represent.ts";
import {
  Dict,
  Instance,
  integerOf,
  List,
  Markup,
  Range,
  type Run,
  Tuple,
  textOf,
  Undefined,
  type Value,
} from "./values.ts";

type Test = Filter<boolean>;

function predicate(name: string, test: (value: Value, run: Run) => boolean): Test {
  return filter(name, "", (value, _, run) => test(value, run));
}

function comparison(test: (a: Value, b: Value, run: Run) => boolean): Test {
  return filter("comparison", "other, /", (value, args, run) => test(value, args.at(0), run));
}

const equals = comparison(equal);
const differs = comparison((a, b, run) => !equal(a, b, run));
const less = comparison(isLess);
const greater = comparison((a, b, run) => isLess(b, a, run));
const atMost = comparison(isAtMost);
const atLeast = comparison((a, b, run) => isAtMost(b, a, run));

/** a <= b */
export function isAtMost(a: Value, b: Value, run: Run): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return false;
  return !isLess(b, a, run);
}

export const tests: ReadonlyMap<string, Test> = new Map<string, Test>([
  ["boolean", predicate("boolean", (value) => typeof value === "boolean")],
  ["callable", filter("callable", "/", isCallable)],
  ["defined", predicate("defined", (value) => !(value instanceof Undefined))],
  [
    "divisibleby",
    filter("divisibleby", "num", (value, args, run) => hasRemainder(value, args.at(0), 0n, run)),
  ],
  ["escaped", predicate("escaped", (value) => value instanceof Markup)],
  ["even", predicate("even", (value, run) => hasRemainder(value, 2n, 0n, run))],
  ["false", predicate("false", (value) => value === false)],
  [
    "filter",
    predicate("filter", (value, run) => hasName(value, (name) => run.isFilter(name), run)),
  ],
  ["float", predicate("float", (value) => typeof value === "number")],
  ["in", filter("in", "seq", (value, args, run) => contains(args.at(0), value, run))],
  ["integer", predicate("integer", (value) => typeof value === "bigint")],
  ["iterable", predicate("iterable", isIterable)],
  ["lower", predicate("lower", (value, run) => isAllCase([...toText(value, run)], "lower"))],
  ["mapping", predicate("mapping", (value) => value instanceof Dict)],
  ["none", predicate("none", (value) => value === null)],
  [
    "number",
    predicate("number", (value) => typeof value === "number" || integerOf(value) !== undefined),
  ],
  ["odd", predicate("odd", (value, run) => hasRemainder(value, 2n, 1n, run))],
  ["sameas", filter("sameas", "other", (value, args) => isSame(value, args.at(0)))],
  ["sequence", predicate("sequence", isSequence)],
  ["string", predicate("string", (value) => textOf(value) !== undefined)],
  ["test", predicate("test", (value, run) => hasName(value, (name) => run.isTest(name), run))],
  ["true", predicate("true", (value) => value === true)],
  ["undefined", predicate("undefined", (value) => value instanceof Undefined)],
  ["upper", predicate("upper", (value, run) => isAllCase([...toText(value, run)], "upper"))],
  ["==", equals],
  ["eq", equals],
  ["equalto", equals],
  ["!=", differs],
  ["ne", differs],
  ["<", less],
  ["lt", less],
  ["lessthan", less],
  [">", greater],
  ["gt", greater],
  ["greaterthan", greater],
  ["<=", atMost],
  ["le", atMost],
  [">=", atLeast],
  ["ge", atLeast],
]);

function hasRemainder(value: Value, divisor: Value, wanted: bigint, run: Run): boolean {
  return equal(calculate("%", value, divisor, run), wanted, run);
}

/** A value that cannot be a key of Python's dict of filters fails. */
function hasName(value: Value, isName: (name: string) => boolean, run: Run): boolean {
  hashKey(value, run);
  return isName(textOf(value) ?? "");
}

/** An undefined value has a call too: one that fails. */
function isCallable(value: Value): boolean {
  return value instanceof Undefined || (value instanceof Instance && value.call !== undefined);
}

/** It has a length and items by number or key. */
function isSequence(value: Value): boolean {
  if (textOf(value) !== undefined) return true;
  return [List, Tuple, Dict, Range, Undefined].some((type) => value instanceof type);
}
