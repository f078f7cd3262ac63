/**
 * The key-value part of a GGUF file, with getters that check the type: a missing key or another type is an error
 * that names file, key, what was found and what was expected.
 */
import { FileFormatError } from "../core/errors.ts";
import { describeMetadataValue, type MetadataValue, type NumberArray } from "./value.ts";

export interface MetadataEntry {
  readonly value: MetadataValue;
  /** Where the key begins in the file. */
  readonly offset?: number;
}

export class Metadata {
  readonly file: string;
  readonly #entries: ReadonlyMap<string, MetadataEntry>;

  constructor(file: string, entries: ReadonlyMap<string, MetadataEntry>) {
    this.file = file;
    this.#entries = entries;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** What kind of value the key has; undefined when it is not there. */
  kindOf(key: string): MetadataValue["kind"] | undefined {
    return this.#entries.get(key)?.value.kind;
  }

  /** Where the key begins in its file; undefined when it is not there. */
  offsetOf(key: string): number | undefined {
    return this.#entries.get(key)?.offset;
  }

  /** In the order of the file. */
  *entries(): IterableIterator<readonly [string, MetadataValue]> {
    for (const [key, entry] of this.#entries) yield [key, entry.value];
  }

  string(key: string): string {
    return this.#required(key, "a string", this.optionalString(key));
  }

  optionalString(key: string): string | undefined {
    return this.#optional(key, "a string", (value) =>
      value.kind === "string" ? value.value : undefined,
    );
  }

  /** Any number type. A 64-bit integer that a JavaScript number cannot hold is an error. */
  number(key: string): number {
    return this.#required(key, "a number", this.optionalNumber(key));
  }

  optionalNumber(key: string): number | undefined {
    return this.#optional(key, "a number (of at most 2^53)", numberOf);
  }

  boolean(key: string): boolean {
    return this.#required(key, "a boolean", this.optionalBoolean(key));
  }

  optionalBoolean(key: string): boolean | undefined {
    return this.#optional(key, "a boolean", (value) =>
      value.kind === "boolean" ? value.value : undefined,
    );
  }

  strings(key: string): readonly string[] {
    return this.#required(key, "an array of strings", this.optionalStrings(key));
  }

  optionalStrings(key: string): readonly string[] | undefined {
    return this.#optional(key, "an array of strings", (value) =>
      value.kind === "strings" ? value.values.toArray() : undefined,
    );
  }

  /** The typed array of the file's type; 64-bit integers become a Float64Array. */
  numbers(key: string): NumberArray {
    return this.#required(key, "an array of numbers", this.optionalNumbers(key));
  }

  booleans(key: string): Uint8Array {
    const expected = "an array of booleans";
    const values = this.#optional(key, expected, (value) =>
      value.kind === "booleans" ? value.values : undefined,
    );
    return this.#required(key, expected, values);
  }

  optionalNumbers(key: string): NumberArray | undefined {
    return this.#optional(key, "an array of numbers (of at most 2^53)", numbersOf);
  }

  #required<Result>(key: string, expected: string, value: Result | undefined): Result {
    if (value !== undefined) return value;
    throw new FileFormatError({
      file: this.file,
      where: `metadata key ${key}`,
      found: "nothing",
      expected,
    });
  }

  #optional<Result>(
    key: string,
    expected: string,
    convert: (value: MetadataValue) => Result | undefined,
  ): Result | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const result = convert(entry.value);
    if (result !== undefined) return result;
    throw new FileFormatError({
      file: this.file,
      where: `metadata key ${key}`,
      found: describeMetadataValue(entry.value),
      expected,
      ...(entry.offset !== undefined && { offset: entry.offset }),
    });
  }
}

function numberOf(value: MetadataValue): number | undefined {
  if (value.kind === "number") return value.value;
  if (value.kind !== "long") return undefined;
  const converted = Number(value.value);
  return Number.isSafeInteger(converted) ? converted : undefined;
}

function numbersOf(value: MetadataValue): NumberArray | undefined {
  if (value.kind !== "numbers") return undefined;
  const { values } = value;
  if (!(values instanceof BigUint64Array || values instanceof BigInt64Array)) return values;
  const converted = Float64Array.from(values, Number);
  return converted.every(Number.isSafeInteger) ? converted : undefined;
}
