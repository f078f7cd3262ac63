/** str() and repr(). What Python writes with an address in memory is an error: no two runs of it agree. */

import { fail } from "./errors.ts";
import { floatText } from "./exact-decimal.ts";
import {
  type Dict,
  type Instance,
  Markup,
  Namespace,
  type Run,
  typeName,
  type Value,
  viewItems,
} from "./values.ts";

/** str(value) */
export function toText(value: Value, run: Run): string {
  if (typeof value === "string") return value;
  if (value instanceof Markup) return value.text;
  if (value !== null && typeof value === "object" && value.kind === "undefined") return "";
  return represent(value, run);
}

/** repr(value) */
export function represent(value: Value, run: Run): string {
  if (value === null) return "None";
  switch (typeof value) {
    case "boolean":
      return value ? "True" : "False";
    case "bigint":
      return integerText(value);
    case "number":
      return floatText(value);
    case "string":
      run.budget.make(value.length);
      return quote(value);
    default:
      return representObject(value, run);
  }
}

type ObjectValue = Exclude<Value, null | boolean | bigint | number | string>;

function representObject(value: ObjectValue, run: Run): string {
  switch (value.kind) {
    case "markup":
      return `Markup(${represent(value.text, run)})`;
    case "list":
      return `[${representAll(value.items, run)}]`;
    case "tuple":
      return representTuple(value.items, run);
    case "dict":
      return representDict(value, run);
    case "range": {
      const { start, stop, step } = value;
      return step === 1n ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`;
    }
    case "view":
      return `dict_${value.of}([${representAll(viewItems(value), run)}])`;
    case "undefined":
      return "Undefined";
    case "iteration":
      return failAddress(value);
    case "instance":
      return representInstance(value, run);
    default:
      return value satisfies never;
  }
}

function representAll(items: Iterable<Value>, run: Run): string {
  run.budget.enter();
  let text = "";
  for (const item of items) {
    const next = represent(item, run);
    run.budget.concatenate(text.length + next.length);
    run.budget.make(next.length);
    text += text === "" ? next : `, ${next}`;
  }
  run.budget.leave();
  return text;
}

function representTuple(items: readonly Value[], run: Run): string {
  return items.length === 1 ? `(${representAll(items, run)},)` : `(${representAll(items, run)})`;
}

function representDict(dict: Dict, run: Run): string {
  run.budget.enter();
  let text = "";
  for (const [key, value] of dict.entries.values()) {
    const next = `${represent(key, run)}: ${represent(value, run)}`;
    run.budget.make(next.length);
    text += text === "" ? next : `, ${next}`;
  }
  run.budget.leave();
  return `{${text}}`;
}

function representInstance(instance: Instance, run: Run): string {
  if (instance instanceof Namespace) {
    return `<Namespace ${representNames(instance.attributes, run)}>`;
  }
  return instance.describe?.(run) ?? failAddress(instance);
}

function representNames(names: ReadonlyMap<string, Value>, run: Run): string {
  run.budget.enter();
  const pairs = [...names].map(([name, value]) => `${quote(name)}: ${represent(value, run)}`);
  run.budget.leave();
  return `{${pairs.join(", ")}}`;
}

function failAddress(value: Value): never {
  fail("unsupported", `a ${typeName(value)} as text is an address in memory in Python`);
}

/** int has 4300 digits at most as text. */
export function integerText(value: bigint): string {
  const text = value.toString();
  if (text.length > 4300) fail("value", "an integer of more than 4300 digits has no text");
  return text;
}

const unprintable = /[\p{C}\p{Zl}\p{Zp}\p{Zs}\\'"]/gu;

/** repr of a str: single quotes unless the text has those only, \\x, \\u and \\U for what cannot be printed. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = text.replace(unprintable, (character) => {
    if (character === " ") return character;
    if (character === "'" || character === '"') return character === mark ? `\\${mark}` : character;
    return shortEscapes[character] ?? codeEscape(character);
  });
  return `${mark}${inside}${mark}`;
}

const shortEscapes: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

function codeEscape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
