/** Quantise, dequantise, and compare with what the format can promise: bounds derived from its steps. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tensorType, type WeightType, weightTypes } from "../core/dtype.ts";
import { quantCodec } from "./codecs.ts";
import { readHalf } from "./half.ts";
import { readGroupOffset, readGroupScale } from "./k-scales.ts";

const seed = 7;

/** Rounding a scale to binary16: relative 2^-11, or half of the smallest subnormal. `rounded` is the result. */
function halfError(rounded: number): number {
  return Math.max(Math.abs(rounded) * 2 ** -11 * (1 + 2 ** -10), 2 ** -25);
}

/** All blocks that matter: spread values, one scale per block, constants, outliers, zeros, tiny ones. */
function blocks(elements: number): fc.Arbitrary<Float32Array> {
  const size = { minLength: elements, maxLength: elements };
  const spread = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), size);
  const even = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), size);
  const scaled = fc
    .tuple(even, fc.integer({ min: -16, max: 8 }))
    .map(([list, exponent]) => list.map((value) => value * 2 ** exponent));
  const constant = fc
    .float({ min: -100, max: 100, noNaN: true })
    .map((value) => Array(elements).fill(value));
  const outlier = fc
    .tuple(even, fc.nat(elements - 1))
    .map(([list, at]) => list.map((value, index) => (index === at ? 500 * value : value)));
  const positive = even.map((list) => list.map(Math.abs));
  return fc
    .oneof(spread, scaled, constant, outlier, positive)
    .map((list: number[]) => Float32Array.from(list));
}

function roundTrip(
  type: WeightType,
  values: Float32Array,
): { bytes: Uint8Array; after: Float32Array } {
  const codec = quantCodec(type);
  const count = values.length / codec.blockElements;
  const bytes = new Uint8Array(count * codec.blockBytes).fill(0xaa);
  codec.quantise(values, 0, bytes, 0, count);
  const after = new Float32Array(values.length);
  codec.dequantise(bytes, 0, after, 0, count);
  return { bytes, after };
}

function range(values: Float32Array): { low: number; high: number; largest: number } {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return { low, high, largest: Math.max(Math.abs(low), Math.abs(high)) };
}

/** What each value may be off in the formats with one scale per 32, given the stored scale d (and minimum m). */
const pointBounds: Readonly<Record<string, (bytes: Uint8Array, values: Float32Array) => number>> = {
  // Half a step; d's rounding counts for each of up to 127 steps.
  Q8_0: (bytes, values) => range(values).largest / 254 + 127 * halfError(readHalf(bytes, 0)),
  // Codes reach from -8 to 7: the value opposite the largest may be a whole step short.
  Q4_0: (bytes, values) => range(values).largest / 8 + 8 * halfError(readHalf(bytes, 0)),
  Q5_0: (bytes, values) => range(values).largest / 16 + 16 * halfError(readHalf(bytes, 0)),
  Q4_1: (bytes, values) => {
    const { low, high } = range(values);
    return (high - low) / 30 + 15 * halfError(readHalf(bytes, 0)) + halfError(readHalf(bytes, 2));
  },
  Q5_1: (bytes, values) => {
    const { low, high } = range(values);
    return (high - low) / 62 + 31 * halfError(readHalf(bytes, 0)) + halfError(readHalf(bytes, 2));
  },
};

function weightedRms(
  values: Float32Array,
  after: Float32Array,
  weightOf: (value: number) => number,
): number {
  let sum = 0;
  let weights = 0;
  values.forEach((x, i) => {
    sum += weightOf(x) * (x - after[i]!) ** 2;
    weights += weightOf(x);
  });
  return weights === 0 ? 0 : Math.sqrt(sum / weights);
}

describe("a block that was quantised", () => {
  it.each(["Q8_0", "Q4_0", "Q5_0", "Q4_1", "Q5_1"] as const)(
    "has each value of %s within its step",
    (type) => {
      fc.assert(
        fc.property(blocks(32), (values) => {
          const { bytes, after } = roundTrip(type, values);
          // float32 arithmetic: a few roundings of values as large as the largest.
          const bound = pointBounds[type]!(bytes, values) + range(values).largest * 2 ** -21;
          const worst = Math.max(...values.map((x, i) => Math.abs(x - after[i]!)));
          expect(worst).toBeLessThanOrEqual(bound);
        }),
        { seed, numRuns: 200 },
      );
    },
  );

  /*
   * Q4_K and Q5_K: with n = 15 or 31, the plain range errs by at most (high - low) / 2n, and the search keeps nothing
   * worse (in its weighted norm). Rounding a group's scale to 6 bits moves it by d / 2 and so each value by n * d / 2,
   * rounding the offset by dmin / 2; d and dmin are binary16, used up to 63 times. Nearest codes only improve on that.
   */
  it.each([
    ["Q4_K", 15],
    ["Q5_K", 31],
  ] as const)("has every group of %s within the error of the plain range", (type, steps) => {
    fc.assert(
      fc.property(blocks(256), (values) => {
        const { bytes, after } = roundTrip(type, values);
        const [d, dmin] = [readHalf(bytes, 0), readHalf(bytes, 2)];
        for (let group = 0; group < 8; group++) {
          const x = values.subarray(32 * group, 32 * group + 32);
          const { low, high, largest } = range(x);
          const rms = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / 32);
          const error = weightedRms(
            x,
            after.subarray(32 * group),
            (value) => rms + Math.abs(value),
          );
          const plain = (high - Math.min(0, low)) / (2 * steps);
          const rounding = steps * (d / 2 + 63 * halfError(d)) + dmin / 2 + 63 * halfError(dmin);
          expect(error).toBeLessThanOrEqual(plain + rounding + largest * 2 ** -20);
          expect(readGroupScale(bytes, 4, group)).toBeLessThanOrEqual(63);
          expect(readGroupOffset(bytes, 4, group)).toBeLessThanOrEqual(63);
        }
      }),
      { seed, numRuns: 100 },
    );
  });

  /*
   * Q6_K: codes -32..31, so the plain scale |largest| / 32 errs by at most one step, and the search (weights x^2) keeps
   * nothing worse. A group's scale is off by d / 2 (by d where 128 became 127), each value by 32 times that.
   */
  it("has every group of Q6_K within the error of the plain scale", () => {
    fc.assert(
      fc.property(blocks(256), (values) => {
        const { bytes, after } = roundTrip("Q6_K", values);
        const d = Math.abs(readHalf(bytes, 208));
        for (let group = 0; group < 16; group++) {
          const x = values.subarray(16 * group, 16 * group + 16);
          const { largest } = range(x);
          const error = weightedRms(x, after.subarray(16 * group), (value) => value * value);
          const bound = largest / 32 + 32 * (d + 128 * halfError(d)) + largest * 2 ** -20;
          expect(error).toBeLessThanOrEqual(bound);
        }
      }),
      { seed, numRuns: 100 },
    );
  });

  it("is zero again if it was zero, in every format", () => {
    for (const type of weightTypes) {
      const { after } = roundTrip(type, new Float32Array(tensorType(type).blockElements * 3));
      expect(after.every((value) => value === 0)).toBe(true);
    }
  });

  it("is found at any offset, and its neighbours stay as they were", () => {
    for (const type of weightTypes) {
      const { blockElements, blockBytes, quantise, dequantise } = quantCodec(type);
      const values = Float32Array.from({ length: 3 * blockElements }, (_, index) =>
        Math.sin(index),
      );
      const bytes = new Uint8Array(4 + 4 * blockBytes).fill(0xaa);
      quantise(values, blockElements, bytes, 4 + blockBytes, 2);
      expect(bytes.subarray(0, 4 + blockBytes).every((byte) => byte === 0xaa)).toBe(true);
      expect(bytes.subarray(4 + 3 * blockBytes).every((byte) => byte === 0xaa)).toBe(true);
      const after = new Float32Array(4 * blockElements).fill(9);
      dequantise(bytes, 4 + 2 * blockBytes, after, 2 * blockElements, 1);
      expect(after.subarray(0, 2 * blockElements).every((value) => value === 9)).toBe(true);
      expect(after.subarray(3 * blockElements).every((value) => value === 9)).toBe(true);
      expect(after.subarray(2 * blockElements, 3 * blockElements)).toEqual(
        roundTrip(type, values.slice(2 * blockElements)).after,
      );
    }
  });
});
