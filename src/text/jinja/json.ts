/** The filter tojson as transformers replaces it: Python's json.dumps, which leaves characters beyond ASCII as they are. */

import { isLess } from "./compare.ts";
import { fail } from "./errors.ts";
import { floatText } from "./exact-decimal.ts";
import { integerText } from "./represent.ts";
import { type Run, typeName, type Value } from "./values.ts";

export interface JsonForm {
  readonly isAscii: boolean;
  /** What each level is indented by; undefined for one line. */
  readonly indent: string | undefined;
  readonly itemSeparator: string;
  readonly keySeparator: string;
  readonly sortsKeys: boolean;
}

export function toJson(value: Value, form: JsonForm, run: Run): string {
  return new Writer(form, run).write(value, 0);
}

class Writer {
  readonly #form: JsonForm;
  readonly #run: Run;

  constructor(form: JsonForm, run: Run) {
    this.#form = form;
    this.#run = run;
  }

  write(value: Value, level: number): string {
    if (value === null) return "null";
    switch (typeof value) {
      case "boolean":
        return value ? "true" : "false";
      case "bigint":
        return integerText(value);
      case "number":
        return jsonFloat(value);
      case "string":
        return this.#quote(value);
      default:
        return this.#writeObject(value, level);
    }
  }

  #writeObject(value: Value & object, level: number): string {
    switch (value.kind) {
      case "markup":
        return this.#quote(value.text);
      case "list":
      case "tuple":
        return this.#enclose("[]", value.items, level, (item) => this.write(item, level + 1));
      case "dict":
        return this.#enclose(
          "{}",
          this.#pairs([...value.entries.values()]),
          level,
          ([key, item]) => {
            return (
              this.#quote(jsonKey(key)) + this.#form.keySeparator + this.write(item, level + 1)
            );
          },
        );
      default:
        return fail("type", `a ${typeName(value)} has no JSON`);
    }
  }

  #pairs(pairs: (readonly [Value, Value])[]): readonly (readonly [Value, Value])[] {
    if (!this.#form.sortsKeys) return pairs;
    const run = this.#run;
    return pairs.sort(([a], [b]) => (isLess(a, b, run) ? -1 : isLess(b, a, run) ? 1 : 0));
  }

  #enclose<Item>(
    brackets: "[]" | "{}",
    items: readonly Item[],
    level: number,
    write: (item: Item) => string,
  ): string {
    const [open = "", close = ""] = brackets;
    if (items.length === 0) return brackets;
    this.#run.budget.enter();
    const { indent, itemSeparator } = this.#form;
    this.#run.budget.make((indent ?? "").length * (level + 1));
    const newline = indent === undefined ? "" : `\n${indent.repeat(level + 1)}`;
    let text = open;
    for (const [index, item] of items.entries()) {
      const next = (index === 0 ? "" : itemSeparator) + newline + write(item);
      this.#run.budget.make(next.length);
      text += next;
    }
    this.#run.budget.leave();
    return text + (indent === undefined ? "" : `\n${indent.repeat(level)}`) + close;
  }

  #quote(text: string): string {
    this.#run.budget.make(text.length);
    const escaped = text.replace(/["\\]|[^ -\uffff]/g, escapeCharacter);
    return `"${this.#form.isAscii ? escapeUnits(escaped) : escaped}"`;
  }
}

const short: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\f": "\\f",
  "\b": "\\b",
};

function escapeCharacter(character: string): string {
  return short[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Every UTF-16 unit beyond ASCII, and DEL. `text` has no other controls left. */
function escapeUnits(text: string): string {
  return text.replace(/[^ -~]/g, escapeCharacter);
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return floatText(value);
}

function jsonKey(key: Value): string {
  if (key === null) return "null";
  switch (typeof key) {
    case "boolean":
      return key ? "true" : "false";
    case "bigint":
      return integerText(key);
    case "number":
      return jsonFloat(key);
    case "string":
      return key;
    default:
      return key.kind === "markup"
        ? key.text
        : fail("type", `a ${typeName(key)} is no key of JSON`);
  }
}
