/** A small GGUF file with every metadata type and several tensor types, for the tests of this folder. */
import { StringList } from "./string-list.ts";
import { type MetadataValue, metadataValue } from "./value.ts";

const notUtf8 = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe);

export const everyValue: ReadonlyMap<string, MetadataValue> = new Map<string, MetadataValue>([
  ["general.architecture", metadataValue.string("llama")],
  ["a.u8", { kind: "number", type: "u8", value: 255 }],
  ["a.i8", { kind: "number", type: "i8", value: -128 }],
  ["a.u16", { kind: "number", type: "u16", value: 65535 }],
  ["a.i16", { kind: "number", type: "i16", value: -32768 }],
  ["a.u32", metadataValue.u32(4294967295)],
  ["a.i32", metadataValue.i32(-2147483648)],
  ["a.f32", metadataValue.f32(0.5)],
  ["a.f64", { kind: "number", type: "f64", value: 0.1 }],
  ["a.u64", metadataValue.u64(18446744073709551615n)],
  ["a.i64", { kind: "long", type: "i64", value: -9223372036854775808n }],
  ["a.small", metadataValue.u64(7n)],
  ["a.true", metadataValue.boolean(true)],
  ["a.false", metadataValue.boolean(false)],
  ["a.string", metadataValue.string("grüße, 世界")],
  ["a.strings", metadataValue.strings(["", "\ufeff<s>", "▁the", "\u{1f525}"])],
  ["a.not_utf8", { kind: "strings", values: new StringList(notUtf8, Uint32Array.of(8)) }],
  ["a.u32s", metadataValue.u32s([1, 2, 3])],
  ["a.i32s", metadataValue.i32s([-1, 0, 1])],
  ["a.f32s", metadataValue.f32s([0.25, -0.5])],
  ["a.u64s", { kind: "numbers", type: "u64", values: BigUint64Array.of(1n, 2n ** 63n) }],
  ["a.i64s", { kind: "numbers", type: "i64", values: BigInt64Array.of(-1n, 5n) }],
  ["a.booleans", { kind: "booleans", values: Uint8Array.of(1, 0, 1) }],
  ["a.none", metadataValue.u32s([])],
  [
    "a.nested",
    {
      kind: "arrays",
      values: [
        { kind: "strings", values: StringList.of(["x"]) },
        { kind: "arrays", values: [{ kind: "booleans", values: Uint8Array.of(0) }] },
      ],
    },
  ],
]);

function counting(bytes: number): () => Uint8Array[] {
  return () => [Uint8Array.from({ length: bytes }, (_, index) => index % 251)];
}

export const sampleTensors: readonly {
  readonly name: string;
  readonly type: string;
  readonly dimensions: readonly number[];
  readonly data: () => Uint8Array[];
}[] = [
  { name: "norm.weight", type: "F32", dimensions: [5], data: counting(20) },
  { name: "wide.weight", type: "Q4_0", dimensions: [64, 3], data: counting(108) },
  { name: "half.weight", type: "F16", dimensions: [3, 2, 2, 2], data: counting(48) },
  { name: "super.weight", type: "Q6_K", dimensions: [256, 1], data: counting(210) },
];
