/**
 * Reading of JSON that people edit: every key must be known, every number in range.
 * An error names the file, the field and the value found. Used by hardware profiles and plans.
 */
import { FileFormatError } from "../core/errors.ts";

/** A value inside a JSON file, with the file and the path of its field for messages. */
export interface JsonField {
  readonly file: string;
  readonly path: string;
  readonly value: unknown;
}

/** The root of a JSON text. @throws FileFormatError when it is not JSON. */
export function parseJson(text: string, file: string): JsonField {
  try {
    return { file, path: "", value: JSON.parse(text) };
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new FileFormatError({ file, where: "text", found, expected: "JSON" });
  }
}

/** The error for a field whose value cannot be used. */
export function fieldError(field: JsonField, expected: string): FileFormatError {
  const text = field.value === undefined ? "nothing" : JSON.stringify(field.value);
  const found = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return new FileFormatError({ file: field.file, where: field.path || "root", found, expected });
}

/** The fields of an object that has no key beside `known`; a missing one has the value undefined. */
export function objectFields<Key extends string>(
  field: JsonField,
  known: readonly Key[],
): (key: Key) => JsonField {
  const record = jsonObject(field);
  const stranger = [...record.keys()].find((key) => !known.some((name) => name === key));
  if (stranger !== undefined) {
    throw fieldError(
      child(field, stranger, record.get(stranger)),
      `one of the keys ${known.join(", ")}`,
    );
  }
  return (key) => child(field, key, record.get(key));
}

/** Every entry of an object with free keys. */
export function entryFields(field: JsonField): readonly (readonly [string, JsonField])[] {
  return [...jsonObject(field)].map(([key, value]) => [key, child(field, key, value)]);
}

export function arrayFields(field: JsonField): readonly JsonField[] {
  if (!Array.isArray(field.value)) throw fieldError(field, "an array");
  return field.value.map((value, index) => ({ ...field, path: `${field.path}[${index}]`, value }));
}

export function stringOf(field: JsonField): string {
  if (typeof field.value !== "string") throw fieldError(field, "a string");
  return field.value;
}

export function choiceOf<Choice extends string>(
  field: JsonField,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((candidate) => candidate === field.value);
  if (choice === undefined) throw fieldError(field, `one of ${choices.join(", ")}`);
  return choice;
}

/** A finite number of at least 0. */
export function amountOf(field: JsonField): number {
  if (typeof field.value !== "number" || !Number.isFinite(field.value) || field.value < 0) {
    throw fieldError(field, "a number of at least 0");
  }
  return field.value;
}

export function positiveOf(field: JsonField): number {
  if (amountOf(field) === 0) throw fieldError(field, "a number above 0");
  return amountOf(field);
}

/** A whole number of at least 0 that a double holds exactly. */
export function countOf(field: JsonField): number {
  if (!Number.isSafeInteger(amountOf(field))) throw fieldError(field, "a whole number");
  return amountOf(field);
}

function jsonObject(field: JsonField): ReadonlyMap<string, unknown> {
  const { value } = field;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw fieldError(field, "an object");
  }
  return new Map(Object.entries(value));
}

function child(field: JsonField, key: string, value: unknown): JsonField {
  return { file: field.file, path: field.path === "" ? key : `${field.path}.${key}`, value };
}
