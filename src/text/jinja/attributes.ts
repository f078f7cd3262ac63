/** object.name and object[index], as transformers' ImmutableSandboxedEnvironment finds them. */
import { codePointAt } from "./code-points.ts";
import {
  dictMethod,
  isMutator,
  listMethod,
  rangeAttribute,
  tupleAttribute,
  viewAttribute,
} from "./collection-methods.ts";
import { hashKey } from "./compare.ts";
import { TemplateError } from "./errors.ts";
import { numberAttribute } from "./number-methods.ts";
import { stringMethod } from "./string-methods.ts";
import {
  Dict,
  defined,
  integerOf,
  List,
  Markup,
  Namespace,
  orElse,
  type Run,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** What every object of Python has, and the sandbox hides. */
const hidden = new Set(
  (
    "class delattr dir doc eq format ge getattribute getstate gt hash init init_subclass le lt ne new reduce reduce_ex " +
    "repr setattr sizeof str subclasshook"
  )
    .split(" ")
    .map((name) => `__${name}__`),
);
const hiddenOfContainers = new Set([
  "__len__",
  "__iter__",
  "__getitem__",
  "__contains__",
  "__add__",
]);

/** object.name: an attribute of Python first, then an item. */
export function attribute(object: Value, name: string, run: Run): Value {
  const own = ownAttribute(object, name, run);
  if (own !== undefined) return own;
  return orElse(subscript(defined(object), name, run), () => missing(object, name));
}

/** object[index]: an item first, then an attribute of Python. */
export function item(object: Value, index: Value, run: Run): Value {
  const found = subscript(defined(object), index, run);
  if (found !== undefined) return found;
  const name = textOf(index);
  if (name === undefined) return missing(object, typeName(index));
  return orElse(ownAttribute(object, name, run), () => missing(object, name));
}

function missing(object: Value, name: string): Undefined {
  const type = object === null ? "None" : `${typeName(object)} object`;
  return new Undefined(`'${type}' has no attribute '${name}'`);
}

/** getattr(object, name), undefined if Python raises an AttributeError. What the sandbox hides is an Undefined. */
export function ownAttribute(object: Value, name: string, run: Run): Value | undefined {
  const isHidden = isHiddenName(object, name);
  if (object instanceof Undefined && !isHidden && !/^__.*__$/.test(name)) defined(object);
  const isChange = (object instanceof List || object instanceof Dict) && isMutator(object, name);
  const found = isHidden || isChange ? null : pythonAttribute(object, name, run);
  if (found === undefined) return undefined;
  if (!isHidden && !isChange && !name.startsWith("_")) return found;
  const problem = `access to attribute '${name}' of '${typeName(object)}' object is unsafe`;
  return new Undefined(problem, true);
}

function isHiddenName(object: Value, name: string): boolean {
  if (object instanceof Namespace) return name === "__class__";
  if (hidden.has(name)) return true;
  const isContainer = object !== null && (typeof object === "object" || typeof object === "string");
  return isContainer && hiddenOfContainers.has(name);
}

function pythonAttribute(object: Value, name: string, run: Run): Value | undefined {
  if (object === null) return undefined;
  switch (typeof object) {
    case "string":
      return stringMethod(object, name);
    case "boolean":
    case "bigint":
    case "number":
      return numberAttribute(object, name);
    default:
      return objectAttribute(object, name, run);
  }
}

type ObjectValue = Exclude<Value, null | boolean | bigint | number | string>;

function objectAttribute(object: ObjectValue, name: string, run: Run): Value | undefined {
  switch (object.kind) {
    case "markup":
      return stringMethod(object, name);
    case "list":
      return listMethod(object, name);
    case "tuple":
      return tupleAttribute(object, name);
    case "dict":
      return dictMethod(object, name);
    case "range":
      return rangeAttribute(object, name, run);
    case "view":
      return viewAttribute(object, name);
    case "instance":
      return object.attribute(name, run);
    case "iteration":
    case "undefined":
      return undefined;
    default:
      return object satisfies never;
  }
}

/** object[index], undefined if Python raises a TypeError or a LookupError. */
function subscript(object: Value, index: Value, run: Run): Value | undefined {
  const text = textOf(object);
  const integer = integerOf(index);
  if (text !== undefined) {
    if (integer === undefined) return undefined;
    const character = codePointAt(text, Number(integer), run.budget);
    return object instanceof Markup && character !== undefined ? new Markup(character) : character;
  }
  if (object === null || typeof object !== "object") return undefined;
  switch (object.kind) {
    case "dict":
      return entryOf(object, index, run);
    case "list":
    case "tuple":
      return integer === undefined ? undefined : object.items.at(Number(integer));
    case "range": {
      if (integer === undefined) return undefined;
      const place = integer < 0n ? integer + BigInt(object.length) : integer;
      const isInside = place >= 0n && place < BigInt(object.length);
      return isInside ? object.start + place * object.step : undefined;
    }
    default:
      return undefined;
  }
}

function entryOf(dict: Dict, key: Value, run: Run): Value | undefined {
  try {
    return dict.entries.get(hashKey(key, run))?.[1];
  } catch (error) {
    if (error instanceof TemplateError && error.kind === "type") return undefined;
    throw error;
  }
}
