import { describe, expect, it } from "vitest";
import { bfloatToFloat, floatToBfloat, floatToHalf, halfToFloat, roundToEven } from "./half.ts";

const everyPattern = Array.from({ length: 65536 }, (_, bits) => bits);

describe("binary16", () => {
  it("survives the way to float32 and back in all 65536 bit patterns, NaN as NaN", () => {
    const lost = everyPattern.filter((bits) => {
      const value = halfToFloat(bits);
      const again = floatToHalf(value);
      return Number.isNaN(value) ? !Number.isNaN(halfToFloat(again)) : again !== bits;
    });
    expect(lost).toEqual([]);
  });

  it("has the values that IEEE 754 gives", () => {
    const known: readonly [number, number][] = [
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3c00, 1],
      [0x3555, 1365 / 4096],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x7c00, Number.POSITIVE_INFINITY],
      [0xfc00, Number.NEGATIVE_INFINITY],
    ];
    for (const [bits, value] of known) expect(halfToFloat(bits)).toBe(value);
    expect(Object.is(halfToFloat(0x8000), -0)).toBe(true);
  });

  it("rounds what lies halfway to the even neighbour, and everything else to the nearest", () => {
    const wrong = everyPattern.slice(0, 0x7bff).filter((bits) => {
      const middle = (halfToFloat(bits) + halfToFloat(bits + 1)) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      // One float32 step from the middle decides; a middle has at most 12 bits, so the step is exact.
      const found = [middle, -middle, middle * (1 - 2 ** -20), middle * (1 + 2 ** -20)].map(
        floatToHalf,
      );
      const expected = [even, even | 0x8000, bits, bits + 1];
      return found.some((half, index) => half !== expected[index]);
    });
    expect(wrong).toEqual([]);
    expect(floatToHalf(65519.99)).toBe(0x7bff);
    expect(floatToHalf(65520)).toBe(0x7c00);
    expect(floatToHalf(2 ** -25)).toBe(0);
    expect(floatToHalf(1e-40)).toBe(0);
  });
});

describe("bfloat16", () => {
  it("survives the way to float32 and back in all 65536 bit patterns, NaN as NaN", () => {
    const lost = everyPattern.filter((bits) => {
      const value = bfloatToFloat(bits);
      const again = floatToBfloat(value);
      return Number.isNaN(value) ? !Number.isNaN(bfloatToFloat(again)) : again !== bits;
    });
    expect(lost).toEqual([]);
  });

  it("rounds to the nearest, ties to even, and past the largest to infinity", () => {
    expect(floatToBfloat(1 + 2 ** -8)).toBe(0x3f80);
    expect(floatToBfloat(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(floatToBfloat(1 + 2 ** -8 + 2 ** -20)).toBe(0x3f81);
    expect(floatToBfloat(3.4e38)).toBe(0x7f80);
  });
});

describe("roundToEven", () => {
  it("rounds ties to the even integer on both sides of zero", () => {
    const ties = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, 126.5];
    expect(ties.map((value) => roundToEven(value) + 0)).toEqual([-2, -2, 0, 0, 2, 2, 2, 126]);
  });
});
