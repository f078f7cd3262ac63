/** The layouts bit by bit: blocks made by hand, their values taken from ggml's definition of the format. */
import { describe, expect, it } from "vitest";
import { tensorType, type WeightType, weightTypes } from "../core/dtype.ts";
import { quantCodec } from "./codecs.ts";
import { readGroupOffset, readGroupScale } from "./k-scales.ts";

/** binary16: 1, 0.5, -2 (little endian). */
const one = [0x00, 0x3c];
const oneHalf = [0x00, 0x38];
const minusTwo = [0x00, 0xc0];
const count = (length: number): number[] => Array.from({ length }, (_, index) => index);
/** Nibbles i and 15 - i: sixteen bytes in which every pair differs. */
const pairs = count(16).map((i) => i | ((15 - i) << 4));

function decode(type: WeightType, bytes: readonly number[]): number[] {
  const codec = quantCodec(type);
  expect(bytes).toHaveLength(codec.blockBytes);
  const values = new Float32Array(codec.blockElements);
  codec.dequantise(Uint8Array.from(bytes), 0, values, 0, 1);
  return [...values];
}

/** Eight 6-bit scales and offsets, packed by hand as k-scales.ts draws it. */
const groupScales = [1, 2, 3, 63, 20, 40, 63, 5];
const groupOffsets = [0, 1, 62, 3, 17, 33, 63, 4];
const packedGroups = [65, 130, 195, 63, 64, 129, 254, 3, 20, 24, 255, 69];

describe("the layout of ggml", () => {
  it("has block sizes that agree with the table of types", () => {
    for (const type of weightTypes) {
      const { blockElements, blockBytes } = quantCodec(type);
      expect({ blockElements, blockBytes }).toMatchObject({
        blockElements: tensorType(type).blockElements,
        blockBytes: tensorType(type).blockBytes,
      });
    }
  });

  it("F32, F16 and BF16 are little endian", () => {
    expect(decode("F32", [0x00, 0x00, 0xc0, 0x3f])).toEqual([1.5]);
    expect(decode("F16", minusTwo)).toEqual([-2]);
    expect(decode("BF16", [0xc0, 0x3f])).toEqual([1.5]);
  });

  it("Q8_0 is d and 32 signed bytes", () => {
    const codes = count(32).map((i) => (i % 2 === 0 ? i : 256 - i));
    const expected = count(32).map((i) => 0.5 * (i % 2 === 0 ? i : -i));
    expect(decode("Q8_0", [...oneHalf, ...codes])).toEqual(expected);
  });

  it("Q4_0 has elements 0..15 in the low nibbles, 16..31 in the high ones, minus 8", () => {
    const expected = [...count(16).map((i) => -2 * (i - 8)), ...count(16).map((i) => -2 * (7 - i))];
    expect(decode("Q4_0", [...minusTwo, ...pairs])).toEqual(expected.map((value) => value));
  });

  it("Q4_1 adds a minimum to unsigned codes", () => {
    const expected = [
      ...count(16).map((i) => 0.5 * i - 2),
      ...count(16).map((i) => 0.5 * (15 - i) - 2),
    ];
    expect(decode("Q4_1", [...oneHalf, ...minusTwo, ...pairs])).toEqual(expected);
  });

  it("Q5_0 and Q5_1 have the fifth bits in a little-endian u32, bit i for element i", () => {
    // Set for elements 0, 9, 18 and 31.
    const high = [0x01, 0x02, 0x04, 0x80];
    const codes = [...count(16), ...count(16).map((i) => 15 - i)].map((low, i) =>
      [0, 9, 18, 31].includes(i) ? low + 16 : low,
    );
    expect(decode("Q5_0", [...one, ...high, ...pairs])).toEqual(codes.map((code) => code - 16));
    expect(decode("Q5_1", [...oneHalf, ...minusTwo, ...high, ...pairs])).toEqual(
      codes.map((code) => 0.5 * code - 2),
    );
  });

  it("K formats pack eight scales and offsets of six bits into twelve bytes", () => {
    const bytes = Uint8Array.from(packedGroups);
    expect(count(8).map((group) => readGroupScale(bytes, 0, group))).toEqual(groupScales);
    expect(count(8).map((group) => readGroupOffset(bytes, 0, group))).toEqual(groupOffsets);
  });

  it("Q4_K has two groups of 32 in each 32 bytes: low nibbles, then high nibbles", () => {
    const codes = count(128).map((i) => (i * 7 + 3) & 255);
    const expected = count(256).map((element) => {
      const group = element >> 5;
      const byte = ((32 * (group >> 1) + (element & 31)) * 7 + 3) & 255;
      const code = group % 2 === 0 ? byte & 15 : byte >> 4;
      return groupScales[group]! * code - 0.5 * groupOffsets[group]!;
    });
    expect(decode("Q4_K", [...one, ...oneHalf, ...packedGroups, ...codes])).toEqual(expected);
  });

  it("Q5_K is Q4_K with bit `group` of qh[i] as the fifth bit", () => {
    const high = count(32).map((i) => (i * 37 + 11) & 255);
    const codes = count(128).map((i) => (i * 7 + 3) & 255);
    const expected = count(256).map((element) => {
      const group = element >> 5;
      const i = element & 31;
      const byte = ((32 * (group >> 1) + i) * 7 + 3) & 255;
      const fifth = (((i * 37 + 11) & 255) >> group) & 1;
      const code = (group % 2 === 0 ? byte & 15 : byte >> 4) + 16 * fifth;
      return groupScales[group]! * code - 0.5 * groupOffsets[group]!;
    });
    const bytes = [...one, ...oneHalf, ...packedGroups, ...high, ...codes];
    expect(decode("Q5_K", bytes)).toEqual(expected);
  });

  it("Q6_K has halves of four rows: nibbles of rows 0|2 and 1|3, two upper bits of each row in qh", () => {
    const low = count(128).map((i) => (i * 7 + 3) & 255);
    const high = count(64).map((i) => (i * 37 + 11) & 255);
    const scales = count(16).map((group) => (group % 2 === 0 ? group + 1 : 256 - group));
    const expected = count(256).map((element) => {
      const half = element >> 7;
      const row = (element >> 5) & 3;
      const i = element & 31;
      const lowByte = ((64 * half + 32 * (row % 2) + i) * 7 + 3) & 255;
      const highByte = ((32 * half + i) * 37 + 11) & 255;
      const nibble = row < 2 ? lowByte & 15 : lowByte >> 4;
      const code = nibble + 16 * ((highByte >> (2 * row)) & 3);
      const group = element >> 4;
      return 0.5 * (group % 2 === 0 ? group + 1 : -group) * (code - 32);
    });
    const values = decode("Q6_K", [...low, ...high, ...scales, ...oneHalf]);
    expect(values.map((value) => value + 0)).toEqual(expected.map((value) => value + 0));
  });
});
