/**
 * Python's values. None is null, bool boolean, int bigint, float number, str string; the others are classes here.
 * No template can change a list or a dict (the sandbox is immutable), so all of them are read-only.
 */
import { fail } from "./errors.ts";
import type { Budget } from "./limits.ts";

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Markup
  | List
  | Tuple
  | Dict
  | Range
  | View
  | Iteration
  | Undefined
  | Instance;

/** A text that is HTML already: markupsafe.Markup, which `escape` makes. A str in Python. */
export class Markup {
  readonly kind = "markup";
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export class List {
  readonly kind = "list";
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

export class Tuple {
  readonly kind = "tuple";
  readonly items: readonly Value[];
  /** Of a named tuple: the attributes of its items. */
  readonly fields: readonly string[];
  constructor(items: readonly Value[], fields: readonly string[] = []) {
    this.items = items;
    this.fields = fields;
  }
}

/** Python's hash and equality of a key, as a key of a Map: 1, 1.0 and True are one. */
export type HashKey = string | Instance | Iteration;

/** In the order of insertion. */
export class Dict {
  readonly kind = "dict";
  readonly entries: ReadonlyMap<HashKey, readonly [key: Value, value: Value]>;
  constructor(entries: ReadonlyMap<HashKey, readonly [Value, Value]>) {
    this.entries = entries;
  }
}

/** Lazy, as Python's: counted, not made. */
export class Range {
  readonly kind = "range";
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;
  readonly length: number;
  constructor(start: bigint, stop: bigint, step: bigint, length: number) {
    this.start = start;
    this.stop = stop;
    this.step = step;
    this.length = length;
  }
}

/** dict.keys(), .values() and .items() */
export class View {
  readonly kind = "view";
  readonly of: "keys" | "values" | "items";
  readonly dict: Dict;
  constructor(of: "keys" | "values" | "items", dict: Dict) {
    this.of = of;
    this.dict = dict;
  }
}

/** A generator or another iterator: can be read once. */
export class Iteration {
  readonly kind = "iteration";
  readonly #items: Iterator<Value>;
  constructor(items: Iterable<Value>) {
    this.#items = items[Symbol.iterator]();
  }
  next(): Value | undefined {
    const next = this.#items.next();
    return next.done === true ? undefined : next.value;
  }
}

/** What a name without a value is: empty as text and list, an error in everything else. */
export class Undefined {
  readonly kind = "undefined";
  readonly problem: string;
  readonly isUnsafe: boolean;
  constructor(problem: string, isUnsafe = false) {
    this.problem = problem;
    this.isUnsafe = isUnsafe;
  }
}

/** Positional and named arguments of a call. */
export interface Call {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** What functions and filters may use of the rendering they run in. */
export interface Run {
  readonly budget: Budget;
  /** The current time for strftime_now. */
  readonly now: Date;
  /** object.name */
  attribute(object: Value, name: string): Value;
  /** object[index] */
  item(object: Value, index: Value): Value;
  call(callee: Value, call: Call): Value;
  filter(name: Value, input: Value, call: Call): Value;
  test(name: Value, input: Value, call: Call): Value;
  isFilter(name: string): boolean;
  isTest(name: string): boolean;
}

/** An object with attributes of its own: a function, a macro, a loop, a namespace, a cycler … */
export abstract class Instance {
  readonly kind = "instance";
  /** Python's name of the type. */
  abstract readonly type: string;
  /** What repr() writes; absent where Python writes an address in memory. */
  readonly describe: ((run: Run) => string) | undefined = undefined;
  /** Absent where it cannot be called. */
  readonly call: ((call: Call, run: Run) => Value) | undefined = undefined;
  /** Absent where it has no len(). */
  readonly length: ((run: Run) => number) | undefined = undefined;
  /** undefined if there is no such attribute. */
  attribute(_name: string, _run: Run): Value | undefined {
    return undefined;
  }
}

/** A function or a bound method: its text would be an address in memory. */
export class Callable extends Instance {
  override readonly type: string;
  readonly name: string;
  override readonly call: (call: Call, run: Run) => Value;
  override readonly describe: (() => string) | undefined;
  constructor(
    name: string,
    call: (call: Call, run: Run) => Value,
    { type = "function", text }: { readonly type?: string; readonly text?: string } = {},
  ) {
    super();
    this.name = name;
    this.call = call;
    this.type = type;
    this.describe = text === undefined ? undefined : () => text;
  }
}

export class Namespace extends Instance {
  override readonly type = "Namespace";
  readonly attributes: Map<string, Value>;
  constructor(attributes: Map<string, Value>) {
    super();
    this.attributes = attributes;
  }
  override attribute(name: string): Value | undefined {
    return this.attributes.get(name);
  }
}

/** The text of a str, Markup included; undefined for everything else. */
export function textOf(value: Value | undefined): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof Markup ? value.text : undefined;
}

/** A bool is an int in Python; undefined for everything else. */
export function integerOf(value: Value | undefined): bigint | undefined {
  if (typeof value === "bigint") return value;
  return typeof value === "boolean" ? BigInt(value) : undefined;
}

/** Python's type(value).__name__ */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "float";
    case "string":
      return "str";
    default:
      return objectTypeName(value);
  }
}

type ObjectValue = Exclude<Value, null | boolean | bigint | number | string>;

function objectTypeName(value: ObjectValue): string {
  switch (value.kind) {
    case "markup":
      return "Markup";
    case "view":
      return `dict_${value.of}`;
    case "iteration":
      return "generator";
    case "undefined":
      return "Undefined";
    case "instance":
      return value.type;
    default:
      return value.kind;
  }
}

/** Of a bool, an int or a float; undefined for everything else. */
export function numberOf(value: Value): bigint | number | undefined {
  return typeof value === "number" ? value : integerOf(value);
}

/** None is a value too, which `??` would pass over. */
export function orElse(value: Value | undefined, otherwise: () => Value): Value {
  return value === undefined ? otherwise() : value;
}

/** @throws TemplateError if it is undefined */
export function defined(value: Value): Exclude<Value, Undefined> {
  if (!(value instanceof Undefined)) return value;
  return fail(value.isUnsafe ? "security" : "undefined", value.problem);
}

export function isTrue(value: Value, run: Run): boolean {
  if (value === null) return false;
  switch (typeof value) {
    case "boolean":
      return value;
    case "bigint":
      return value !== 0n;
    case "number":
      return value !== 0;
    case "string":
      return value !== "";
    default:
      return lengthOf(value, run) !== 0;
  }
}

/** len(); undefined for what has none. Of a str: see code-points.ts. */
export function lengthOf(value: ObjectValue, run: Run): number | undefined {
  switch (value.kind) {
    case "markup":
      return value.text.length;
    case "list":
    case "tuple":
      return value.items.length;
    case "dict":
      return value.entries.size;
    case "view":
      return value.dict.entries.size;
    case "range":
      return value.length;
    case "undefined":
      return 0;
    case "iteration":
      return undefined;
    case "instance":
      return value.length?.(run);
    default:
      return value satisfies never;
  }
}

/** What a view gives, one by one. */
export function* viewItems({ of, dict }: View): Generator<Value> {
  for (const [key, value] of dict.entries.values()) {
    if (of === "items") yield new Tuple([key, value]);
    else yield of === "keys" ? key : value;
  }
}
