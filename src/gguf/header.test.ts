/** Each field of a header, wrong in each way that a file could be: the error names field, value and byte. */
import { describe, expect, it } from "vitest";
import { FileFormatError } from "../core/errors.ts";
import { memorySource } from "../io/memory-source.ts";
import { type GgufHeader, readGgufHeader } from "./header.ts";

const u8 = (value: number): Uint8Array => Uint8Array.of(value);
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const u64 = (value: number | bigint): Uint8Array =>
  new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string): Uint8Array =>
  join([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const join = (pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces));
const magic = Buffer.from("GGUF");

/** Keys begin at byte 24. */
function withKeys(...keys: readonly (readonly Uint8Array[])[]): Uint8Array {
  return join([magic, u32(3), u64(0), u64(keys.length), ...keys.flat()]);
}

/** Tensor infos begin at byte 24; `dataBytes` follow the aligned header. */
function withTensors(tensors: readonly (readonly Uint8Array[])[], dataBytes: number): Uint8Array {
  const header = join([magic, u32(3), u64(tensors.length), u64(0), ...tensors.flat()]);
  return join([
    header,
    new Uint8Array((32 - (header.length % 32)) % 32),
    new Uint8Array(dataBytes),
  ]);
}

function tensor(
  name: string,
  dimensions: readonly (number | bigint)[],
  type: number,
  offset: number,
): Uint8Array[] {
  return [text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset)];
}

function read(bytes: Uint8Array): GgufHeader {
  return readGgufHeader(memorySource("model.gguf", bytes));
}

function failure(bytes: Uint8Array): FileFormatError {
  try {
    read(bytes);
  } catch (error) {
    if (error instanceof FileFormatError) return error;
    throw error;
  }
  throw new Error("it opened");
}

const u32Type = u32(4);
const arrayType = u32(9);
const wrongHeaders: readonly (readonly [string, Uint8Array, RegExp, number])[] = [
  ["an empty file", new Uint8Array(0), /magic at byte 0: found an empty file/, 0],
  ["another magic", Buffer.from("GGML0000"), /magic .* 47474d4c/, 0],
  ["version 1", join([magic, u32(1), u64(0), u64(0)]), /version .* found 1,/, 4],
  ["a big-endian file", join([magic, Uint8Array.of(0, 0, 0, 3)]), /big-endian .* convert/, 4],
  ["a file cut in its counts", join([magic, u32(3), u32(0)]), /tensor count .* end of the file/, 8],
  ["2^64 - 1 tensors", join([magic, u32(3), u64(2n ** 64n - 1n)]), /18446744073709551615/, 8],
  ["more tensors than bytes", join([magic, u32(3), u64(9), u64(0)]), /tensor count .* found 9/, 8],
  ["2^53 keys", join([magic, u32(3), u64(0), u64(2n ** 53n)]), /metadata count/, 16],
  ["more keys than bytes", join([magic, u32(3), u64(0), u64(2), u64(0)]), /metadata count/, 16],
  ["an empty key", withKeys([text(""), u32Type, u64(0)]), /key 0 .* empty name/, 24],
  ["a long key", withKeys([u64(65536), u32Type, u64(0)]), /length of metadata key 0.*65536/, 24],
  ["a key that is no UTF-8", withKeys([u64(1), u8(0xff), u32Type, u32(0)]), /bytes ff.*UTF-8/, 32],
  ["a key past the end", withKeys([u64(60), u32Type, u32(0)]), /metadata key 0 .* end of/, 32],
  [
    "a key twice",
    withKeys([text("k"), u32Type, u32(1)], [text("k"), u32Type, u32(2)]),
    /a second k/,
    41,
  ],
  [
    "an unknown value type",
    withKeys([text("key"), u32(13), u32(0)]),
    /type of .* key: at|found 13/,
    35,
  ],
  ["a string past the end", withKeys([text("key"), u32(8), u64(99)]), /99 bytes/, 47],
  ["a string of 2^60", withKeys([text("key"), u32(8), u64(2n ** 60n)]), /1152921504606846976/, 39],
  [
    "an array of an unknown type",
    withKeys([text("key"), arrayType, u32(77), u64(0)]),
    /element type of metadata key key .* 77/,
    39,
  ],
  [
    "an array longer than the file",
    withKeys([text("key"), arrayType, u32(4), u64(1000)]),
    /1000 elements of 4 bytes/,
    43,
  ],
  [
    "an array of 2^40 strings",
    withKeys([text("key"), arrayType, u32(8), u64(2 ** 40)]),
    /length of metadata key key .* 1099511627776/,
    43,
  ],
  [
    "arrays five deep",
    withKeys([
      text("key"),
      arrayType,
      ...[1, 2, 3, 4].flatMap(() => [u32(9), u64(1)]),
      u32(4),
      u64(0),
    ]),
    /5 deep/,
    87,
  ],
  ["alignment 24", withKeys([text("general.alignment"), u32Type, u32(24)]), /found 24.*power/, 24],
  ["alignment 0", withKeys([text("general.alignment"), u32Type, u32(0)]), /found 0/, 24],
  [
    "alignment 2^31",
    withKeys([text("general.alignment"), u32Type, u32(2 ** 31)]),
    /2147483648/,
    24,
  ],
  [
    "a text as alignment",
    withKeys([text("general.alignment"), u32(8), text("32")]),
    /string "32"/,
    24,
  ],
  ["a tensor without name", withTensors([tensor("", [1], 0, 0)], 64), /tensor 0 .* empty/, 24],
  ["a long name", withTensors([tensor("n".repeat(129), [1], 0, 0)], 64), /129/, 24],
  ["no dimensions", withTensors([tensor("w", [], 0, 0)], 64), /dimension count of tensor "w"/, 33],
  ["five dimensions", withTensors([tensor("w", [1, 1, 1, 1, 1], 0, 0)], 64), /found 5/, 33],
  ["a dimension of 0", withTensors([tensor("w", [4, 0], 0, 0)], 64), /dimension 1 of/, 45],
  [
    "dimensions whose product overflows",
    withTensors([tensor("w", [2 ** 40, 2 ** 40], 0, 0)], 64),
    /dimension 1 of tensor "w"/,
    45,
  ],
  [
    "a dimension of 2^63",
    withTensors([tensor("w", [2n ** 63n], 0, 0)], 64),
    /9223372036854775808/,
    37,
  ],
  [
    "an unknown tensor type",
    withTensors([tensor("w", [1], 43, 0)], 64),
    /type id 43, expected a type that hearth knows: F32, F16, .*Q6_K/,
    45,
  ],
  ["a former tensor type", withTensors([tensor("w", [1], 31, 0)], 64), /id 31 \(Q4_0_4_4\)/, 45],
  ["a row that is no whole block", withTensors([tensor("w", [33], 2, 0)], 64), /found 33/, 24],
  ["a petabyte", withTensors([tensor("w", [2 ** 50], 0, 0)], 64), /size of tensor "w"/, 24],
  ["an offset off the alignment", withTensors([tensor("w", [1], 0, 8)], 64), /found 8/, 49],
  ["an offset of 2^52", withTensors([tensor("w", [1], 0, 2 ** 52)], 64), /4503599627370496/, 49],
  ["a tensor past the end", withTensors([tensor("w", [9], 0, 32)], 64), /36 bytes from 32/, 24],
  [
    "tensors that overlap",
    withTensors([tensor("v", [9], 0, 0), tensor("w", [1], 0, 32)], 64),
    /nothing before 36, where "v" ends/,
    57,
  ],
  [
    "a name twice",
    withTensors([tensor("w", [1], 0, 0), tensor("w", [1], 0, 32)], 64),
    /a second "w"/,
    57,
  ],
];

describe("readGgufHeader", () => {
  it.each(wrongHeaders)("refuses %s", (_, bytes, message, offset) => {
    const error = failure(bytes);
    expect(error.message).toMatch(message);
    expect(error.file).toBe("model.gguf");
    expect(error.offset).toBe(offset);
  });

  it("reads version 2 like version 3", () => {
    const bytes = withTensors([tensor("w", [2, 3], 0, 32)], 64);
    bytes[4] = 2;
    const header = read(bytes);
    expect(header.version).toBe(2);
    expect(header.tensors).toEqual([
      {
        name: "w",
        type: "F32",
        dimensions: [2, 3],
        path: "model.gguf",
        offset: header.dataOffset + 32,
        bytes: 24,
      },
    ]);
  });

  it("refuses every truncation of a sound file", () => {
    const whole = withTensors([tensor("v", [8], 0, 0), tensor("w", [8], 0, 32)], 64);
    expect(read(whole).tensors).toHaveLength(2);
    for (let length = 0; length < whole.length; length++) {
      expect(() => read(whole.slice(0, length))).toThrow(FileFormatError);
    }
  });

  it("reads a header that is larger than its first window", () => {
    const longs = Array.from({ length: 12 }, (_, index) => "x".repeat(100_000 + index));
    const keys = longs.map((value, index) => [text(`key${index}`), u32(8), text(value)]);
    const { metadata } = read(withKeys(...keys));
    for (const [index, value] of longs.entries())
      expect(metadata.string(`key${index}`)).toBe(value);
  });

  it("names file, key, what it found and what it expected when a key has another type", () => {
    const { metadata } = read(
      withKeys([text("a.count"), u32Type, u32(7)], [text("a.big"), u32(10), u64(2n ** 60n)]),
    );
    expect(metadata.number("a.count")).toBe(7);
    expect(() => metadata.string("a.count")).toThrow(
      "model.gguf: metadata key a.count at byte 24: found u32 7, expected a string",
    );
    expect(() => metadata.optionalStrings("a.count")).toThrow(/u32 7.*array of strings/);
    expect(() => metadata.number("a.big")).toThrow(/u64 1152921504606846976.*2\^53/);
    expect(() => metadata.number("a.none")).toThrow(/a.none: found nothing, expected a number/);
    expect(metadata.optionalNumber("a.none")).toBeUndefined();
  });
});

it("takes any byte but 0 for true, as C does, and writes 1", () => {
  const flags = [0, 1, 2, 255].map((byte, index) => [text(`flag${index}`), u32(7), u8(byte)]);
  const list = [text("list"), arrayType, u32(7), u64(4), Uint8Array.of(0, 1, 2, 255)];
  const { metadata } = read(withKeys(...flags, list));
  const values = [0, 1, 2, 3].map((index) => metadata.boolean(`flag${index}`));
  expect(values).toEqual([false, true, true, true]);
  const listed = [...metadata.entries()].at(-1)?.[1];
  expect(listed).toEqual({ kind: "booleans", values: Uint8Array.of(0, 1, 1, 1) });
});

it.each([
  ["NVFP4", 40, 64, 36],
  ["Q1_0", 41, 128, 18],
  ["Q2_0", 42, 64, 18],
])("lists tensors of %s, which no backend computes", (name, id, elements, bytes) => {
  const { tensors } = read(withTensors([tensor("w", [2 * elements], id, 0)], 2 * bytes));
  expect(tensors[0]).toMatchObject({ type: name, bytes: 2 * bytes });
});
