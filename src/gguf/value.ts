/**
 * Metadata values with the type they have in the file, so that what was read can be written again unchanged.
 * Source: GGUF specification (ggml docs/gguf.md), gguf_metadata_value_type.
 */
import { StringList } from "./string-list.ts";

export type NumberType =
  | "u8"
  | "i8"
  | "u16"
  | "i16"
  | "u32"
  | "i32"
  | "f32"
  | "u64"
  | "i64"
  | "f64";
type LongType = "u64" | "i64";

/** Typed arrays that hold an array of numbers as the file has it. */
export type NumberArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;
type LongArray = BigUint64Array | BigInt64Array;

export type ArrayValue =
  | {
      readonly kind: "numbers";
      readonly type: NumberType;
      readonly values: NumberArray | LongArray;
    }
  /** One byte each, 0 or 1. */
  | { readonly kind: "booleans"; readonly values: Uint8Array }
  | { readonly kind: "strings"; readonly values: StringList }
  | { readonly kind: "arrays"; readonly values: readonly ArrayValue[] };

export type MetadataValue =
  | {
      readonly kind: "number";
      readonly type: Exclude<NumberType, LongType>;
      readonly value: number;
    }
  | { readonly kind: "long"; readonly type: LongType; readonly value: bigint }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | ArrayValue;

/** Makes metadata values of a file to be written: `metadataValue.u32(7)`. */
export const metadataValue: {
  readonly u32: (value: number) => MetadataValue;
  readonly i32: (value: number) => MetadataValue;
  readonly f32: (value: number) => MetadataValue;
  readonly u64: (value: bigint) => MetadataValue;
  readonly boolean: (value: boolean) => MetadataValue;
  readonly string: (value: string) => MetadataValue;
  readonly strings: (values: readonly string[]) => MetadataValue;
  readonly u32s: (values: Iterable<number>) => MetadataValue;
  readonly i32s: (values: Iterable<number>) => MetadataValue;
  readonly f32s: (values: Iterable<number>) => MetadataValue;
} = {
  u32: (value) => ({ kind: "number", type: "u32", value }),
  i32: (value) => ({ kind: "number", type: "i32", value }),
  f32: (value) => ({ kind: "number", type: "f32", value }),
  u64: (value) => ({ kind: "long", type: "u64", value }),
  boolean: (value) => ({ kind: "boolean", value }),
  string: (value) => ({ kind: "string", value }),
  strings: (values) => ({ kind: "strings", values: StringList.of(values) }),
  u32s: (values) => ({ kind: "numbers", type: "u32", values: Uint32Array.from(values) }),
  i32s: (values) => ({ kind: "numbers", type: "i32", values: Int32Array.from(values) }),
  f32s: (values) => ({ kind: "numbers", type: "f32", values: Float32Array.from(values) }),
};

interface NumberLayout {
  readonly id: number;
  readonly bytes: number;
  readonly view: (buffer: ArrayBuffer) => NumberArray | LongArray;
}

/** Type ids and sizes of the numbers in a file. */
export const numberLayouts: Readonly<Record<NumberType, NumberLayout>> = {
  u8: { id: 0, bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  i8: { id: 1, bytes: 1, view: (buffer) => new Int8Array(buffer) },
  u16: { id: 2, bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  i16: { id: 3, bytes: 2, view: (buffer) => new Int16Array(buffer) },
  u32: { id: 4, bytes: 4, view: (buffer) => new Uint32Array(buffer) },
  i32: { id: 5, bytes: 4, view: (buffer) => new Int32Array(buffer) },
  f32: { id: 6, bytes: 4, view: (buffer) => new Float32Array(buffer) },
  u64: { id: 10, bytes: 8, view: (buffer) => new BigUint64Array(buffer) },
  i64: { id: 11, bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
  f64: { id: 12, bytes: 8, view: (buffer) => new Float64Array(buffer) },
};
export const booleanId = 7;
export const stringId = 8;
export const arrayId = 9;

const numberTypes: readonly NumberType[] = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "u64",
  "i64",
  "f64",
];

export function numberTypeById(id: number): NumberType | undefined {
  return numberTypes.find((type) => numberLayouts[type].id === id);
}

/** "u32 7", "array of 32000 strings": what errors and `inspect` say a value is. */
export function describeMetadataValue(value: MetadataValue): string {
  switch (value.kind) {
    case "number":
      return `${value.type} ${singleValue(value)}`;
    case "long":
      return `${value.type} ${value.value}`;
    case "boolean":
      return `boolean ${value.value}`;
    case "string":
      return `string ${quoted(value.value)}`;
    case "numbers":
      return `array of ${value.values.length} ${value.type}`;
    case "booleans":
    case "strings":
    case "arrays":
      return `array of ${value.values.length} ${value.kind}`;
    default:
      return value satisfies never;
  }
}

export type SingleValue = string | number | boolean;

/** Of a list undefined. */
export function singleValue(value: MetadataValue): SingleValue | undefined {
  switch (value.kind) {
    case "number":
      return value.type === "f32" ? shortestF32(value.value) : value.value;
    case "long":
      return Number(value.value);
    case "boolean":
    case "string":
      return value.value;
    default:
      return undefined;
  }
}

/** 1e-5 was stored as the nearest f32: of its double only the seven digits that an f32 has are shown. */
function shortestF32(value: number): number {
  return Number(value.toPrecision(7));
}

/** Text from a file as an error may show it: escaped, at most 60 characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
