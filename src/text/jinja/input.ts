/** JavaScript values as those of a template, and how much they hold. */
import { isPlainObject } from "../../core/check-options.ts";
import { fail } from "./errors.ts";
import type { InputSize } from "./limits.ts";
import { Dict, type HashKey, List, type Value } from "./values.ts";

/** What JSON can say. */
export type Input =
  | null
  | boolean
  | bigint
  | number
  | string
  | readonly Input[]
  | { readonly [key: string]: Input | undefined };

/** Names without a value are left out, so they are undefined in the template. */
export function readVariables(input: { readonly [name: string]: Input | undefined }): {
  readonly variables: ReadonlyMap<string, Value>;
  readonly size: InputSize;
} {
  const reader = new Reader();
  const variables = new Map<string, Value>();
  for (const [name, value] of Object.entries(input)) {
    if (value !== undefined) variables.set(name, reader.read(value, 0));
  }
  return { variables, size: reader };
}

/** Deeper than any JSON schema of a tool. */
const maxDepth = 200;

/** Whether JSON can say it, `depth` levels down; what nests too deep is left to `readVariables`. */
export function isInput(value: unknown, depth = 0): value is Input {
  if (value === null || ["boolean", "bigint", "string"].includes(typeof value)) return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (depth > maxDepth) return true;
  if (Array.isArray(value)) return value.every((item) => isInput(item, depth + 1));
  if (!isPlainObject(value)) return false;
  return Object.values(value).every((item) => item === undefined || isInput(item, depth + 1));
}

class Reader implements InputSize {
  values = 0;
  characters = 0;

  read(input: Input, depth: number): Value {
    this.values++;
    if (depth > maxDepth) fail("limit", `a variable nests deeper than ${maxDepth} levels`);
    if (input === null) return null;
    switch (typeof input) {
      case "string":
        this.characters += input.length;
        return input;
      case "number":
        return Number.isInteger(input) ? BigInt(input) : input;
      case "boolean":
      case "bigint":
        return input;
      default:
        return this.#readObject(input, depth);
    }
  }

  #readObject(input: Input & object, depth: number): Value {
    if (isList(input)) return new List(input.map((item) => this.read(item, depth + 1)));
    const entries = new Map<HashKey, readonly [Value, Value]>();
    for (const [key, value] of Object.entries(input)) {
      if (value === undefined) continue;
      this.characters += key.length;
      entries.set(`s${key}`, [key, this.read(value, depth + 1)]);
    }
    return new Dict(entries);
  }
}

function isList(input: Input & object): input is readonly Input[] {
  return Array.isArray(input);
}
