import { describe, expect, it } from "vitest";
import { indexOfLargest, median, percent, quantile, significant } from "./numbers.ts";

describe("numbers as people read them", () => {
  it("have so many digits and no exponent", () => {
    expect([significant(12346, 4), significant(0.5, 3)]).toEqual(["12350", "0.5"]);
    expect([percent(0.12345, 1), percent(1, 0)]).toEqual(["12.3 %", "100 %"]);
  });
});

describe("the middle of some values", () => {
  it("is the middle one, or half way between the middle two", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it("lies between the nearest two at any share", () => {
    expect(quantile([0, 10, 20], 0.75)).toBe(15);
    expect([quantile([3, 7], 0), quantile([3, 7], 1), quantile([3], 0.9)]).toEqual([3, 7, 3]);
  });
});

describe("the index of the largest value", () => {
  it("is the lowest on a tie", () => {
    expect(indexOfLargest(Float32Array.of(1, 3, 3, 2))).toBe(1);
  });

  it("is undefined where a value is NaN or the largest infinite", () => {
    expect(indexOfLargest(Float32Array.of(1, Number.NaN))).toBeUndefined();
    expect(indexOfLargest(Float32Array.of(Number.POSITIVE_INFINITY, 1))).toBeUndefined();
    expect(indexOfLargest(new Float32Array())).toBeUndefined();
  });
});
