/** The arguments of a call, matched with the parameters of a Python function, and read as what it wants. */
import { codePointsOf } from "./code-points.ts";
import { fail } from "./errors.ts";
import {
  type Call,
  defined,
  integerOf,
  isTrue,
  type Run,
  textOf,
  typeName,
  type Value,
} from "./values.ts";

interface Parameters {
  readonly names: readonly string[];
  readonly required: number;
  readonly isPositionalOnly: boolean;
}

/** `written` as in Python: "width, first?, blank?, /"; "?" marks what may be absent, "/" that none can be named. */
function parseParameters(written: string): Parameters {
  const words = written.split(",").map((word) => word.trim());
  const names = words.filter((word) => word !== "" && word !== "/");
  return {
    names: names.map((name) => name.replace("?", "")),
    required: names.filter((name) => !name.endsWith("?")).length,
    isPositionalOnly: words.includes("/"),
  };
}

/** Makes a function that matches calls with the parameters. It throws a TemplateError of kind "type" where Python does. */
export function matchArguments(name: string, written: string): (call: Call, run: Run) => Arguments {
  const parameters = parseParameters(written);
  return ({ positional, named }, run) => {
    const { names, required, isPositionalOnly } = parameters;
    if (positional.length > names.length) {
      fail("type", `${name}() takes ${names.length} arguments at most, not ${positional.length}`);
    }
    const values: (Value | undefined)[] = names.map((_, index) => positional[index]);
    for (const [key, value] of named) {
      const index = isPositionalOnly ? -1 : names.indexOf(key);
      if (index < 0) fail("type", `${name}() takes no argument "${key}"`);
      if (index < positional.length) fail("type", `${name}() has two values for "${key}"`);
      values[index] = value;
    }
    const missing = values.slice(0, required).indexOf(undefined);
    if (missing >= 0) fail("type", `${name}() misses the argument "${names[missing]}"`);
    return new Arguments(name, values, run);
  };
}

export class Arguments {
  readonly #name: string;
  readonly #values: readonly (Value | undefined)[];
  readonly #run: Run;

  constructor(name: string, values: readonly (Value | undefined)[], run: Run) {
    this.#name = name;
    this.#values = values;
    this.#run = run;
  }

  has(index: number): boolean {
    return this.#values[index] !== undefined;
  }

  /** Absent: `fallback`, which is None unless said. */
  at(index: number, fallback: Value = null): Value {
    return this.#values[index] ?? this.#none(index, fallback);
  }

  #none(index: number, fallback: Value): Value {
    return this.#values[index] === null ? null : fallback;
  }

  /** None counts as absent. */
  given(index: number): Value | undefined {
    return this.#values[index] ?? undefined;
  }

  isTrue(index: number): boolean {
    return isTrue(this.at(index, false), this.#run);
  }

  /** For a parameter whose default is True. */
  isTrueUnlessAbsent(index: number): boolean {
    return !this.has(index) || isTrue(this.at(index), this.#run);
  }

  text(index: number): string {
    const value = defined(this.at(index));
    return textOf(value) ?? this.#fail(index, "a text", value);
  }

  /** None and absence: undefined. */
  textOrNone(index: number): string | undefined {
    return this.given(index) === undefined ? undefined : this.text(index);
  }

  /** A number of things: an int or a bool, within what JavaScript counts exactly. */
  count(index: number, fallback: number): number {
    if (!this.has(index)) return fallback;
    const value = defined(this.at(index));
    const integer = integerOf(value) ?? this.#fail(index, "an integer", value);
    const most = BigInt(Number.MAX_SAFE_INTEGER);
    if (integer > most) return Number.MAX_SAFE_INTEGER;
    return integer < -most ? -Number.MAX_SAFE_INTEGER : Number(integer);
  }

  /** None counts as absent. */
  countOrNone(index: number): number | undefined {
    return this.given(index) === undefined ? undefined : this.count(index, 0);
  }

  /** Exactly one code point. */
  character(index: number, fallback: string): string {
    if (!this.has(index)) return fallback;
    const text = this.text(index);
    if (codePointsOf(text, this.#run.budget).length === 1) return text;
    return this.#fail(index, "one character", text);
  }

  #fail(index: number, expected: string, found: Value): never {
    const ordinal = `argument ${index + 1} of ${this.#name}()`;
    return fail("type", `${ordinal} is a ${typeName(found)}, expected ${expected}`);
  }
}
