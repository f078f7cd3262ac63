/** Reads one metadata value of any type, arrays and arrays of arrays included, within the limits, in steps. */
import { counted } from "../core/counted.ts";
import { entriesPerPause, type Pausable } from "../core/pausable.ts";
import type { HeaderCursor } from "./cursor.ts";
import * as limits from "./limits.ts";
import { StringList } from "./string-list.ts";
import {
  type ArrayValue,
  arrayId,
  booleanId,
  type MetadataValue,
  type NumberType,
  numberLayouts,
  numberTypeById,
  stringId,
} from "./value.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** An array's element type (u32) and length (u64). */
const arrayHeadBytes = 12;
const stringHeadBytes = 8;

export function* readValue(cursor: HeaderCursor, where: string): Pausable<MetadataValue> {
  const offset = cursor.position;
  const id = cursor.u32(`type of ${where}`);
  if (id === stringId) return { kind: "string", value: readString(cursor, where) };
  if (id === booleanId) return { kind: "boolean", value: readBooleans(cursor, where, 1)[0] === 1 };
  if (id === arrayId) return yield* readArray(cursor, { where, depth: 1, budget: { arrays: 0 } });
  const type = numberTypeById(id);
  if (type !== undefined) return readNumber(cursor, where, type);
  const expected = "a value type from 0 to 12";
  return cursor.fail(`type of ${where}`, { found: String(id), expected, offset });
}

function readNumber(cursor: HeaderCursor, where: string, type: NumberType): MetadataValue {
  const layout = numberLayouts[type];
  const value = layout.view(cursor.copy(layout.bytes, where))[0] ?? 0;
  if (type === "u64" || type === "i64") return { kind: "long", type, value: BigInt(value) };
  return { kind: "number", type, value: Number(value) };
}

function readString(cursor: HeaderCursor, where: string): string {
  const length = cursor.count(`length of ${where}`, limits.maxStringBytes);
  return decoder.decode(cursor.bytes(length, where));
}

/** Any byte but 0 is true, as C reads it: some writers store 255. */
function readBooleans(cursor: HeaderCursor, where: string, count: number): Uint8Array {
  return new Uint8Array(cursor.copy(count, where)).map((byte) => (byte === 0 ? 0 : 1));
}

interface ArrayPlace {
  readonly where: string;
  /** 1 for an array that is in none. */
  readonly depth: number;
  /** Arrays read so far inside the outermost one. */
  readonly budget: { arrays: number };
}

function* readArray(cursor: HeaderCursor, place: ArrayPlace): Pausable<ArrayValue> {
  const { where } = place;
  const offset = cursor.position;
  const id = cursor.u32(`element type of ${where}`);
  const type = numberTypeById(id);
  const elementBytes = minElementBytes(id, type);
  if (elementBytes === undefined) {
    const expected = "a value type from 0 to 12";
    return cursor.fail(`element type of ${where}`, { found: String(id), expected, offset });
  }
  const count = cursor.count(`length of ${where}`, limits.maxArrayElements);
  if (count * elementBytes > cursor.remaining) {
    const expected = `at most the ${cursor.remaining} bytes that follow`;
    const found = `${counted(count, "element")} of ${counted(elementBytes, "byte")} or more`;
    cursor.fail(`length of ${where}`, { found, expected, offset: offset + 4 });
  }
  if (type !== undefined) {
    const layout = numberLayouts[type];
    const values = layout.view(cursor.copy(count * layout.bytes, where));
    return { kind: "numbers", type, values };
  }
  if (id === stringId) return { kind: "strings", values: yield* readStrings(cursor, where, count) };
  if (id === booleanId) return { kind: "booleans", values: readBooleans(cursor, where, count) };
  return { kind: "arrays", values: yield* readArrays(cursor, place, count) };
}

function minElementBytes(id: number, type: NumberType | undefined): number | undefined {
  if (type !== undefined) return numberLayouts[type].bytes;
  if (id === booleanId) return 1;
  if (id === stringId) return stringHeadBytes;
  return id === arrayId ? arrayHeadBytes : undefined;
}

function* readStrings(cursor: HeaderCursor, where: string, count: number): Pausable<StringList> {
  const begin = cursor.position;
  const starts = new Uint32Array(count);
  const lengthOf = `length of a string of ${where}`;
  for (let index = 0; index < count; index++) {
    const length = cursor.count(lengthOf, limits.maxStringBytes);
    starts[index] = cursor.position - begin;
    cursor.skip(length, where);
    if (index % entriesPerPause === 0) yield;
  }
  return new StringList(cursor.passed(begin), starts);
}

function* readArrays(
  cursor: HeaderCursor,
  place: ArrayPlace,
  count: number,
): Pausable<ArrayValue[]> {
  const { where, depth, budget } = place;
  const offset = cursor.position;
  budget.arrays += count;
  if (depth >= limits.maxArrayDepth || budget.arrays > limits.maxNestedArrays) {
    const found = `${counted(budget.arrays, "nested array")}, ${depth + 1} deep`;
    const expected = `at most ${limits.maxNestedArrays}, ${limits.maxArrayDepth} deep`;
    cursor.fail(where, { found, expected, offset });
  }
  const inside = { where, depth: depth + 1, budget };
  const arrays: ArrayValue[] = [];
  for (let index = 0; index < count; index++) arrays.push(yield* readArray(cursor, inside));
  return arrays;
}
