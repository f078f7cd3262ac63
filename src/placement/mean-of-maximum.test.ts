import { describe, expect, it } from "vitest";
import { createRandom } from "../core/random.ts";
import { meanOfMaximum } from "./mean-of-maximum.ts";

describe("the mean of the larger of two times", () => {
  it("is the larger mean where neither varies, or one is far ahead", () => {
    expect(meanOfMaximum({ mean: 3, variance: 0 }, { mean: 2, variance: 0 })).toBe(3);
    expect(meanOfMaximum({ mean: 30, variance: 1 }, { mean: 2, variance: 1 })).toBe(30);
    expect(meanOfMaximum({ mean: 2, variance: 1 }, { mean: 30, variance: 1 })).toBe(30);
  });

  it("is 1/√π deviations above two equal means: E max of two standard normal ones", () => {
    const time = { mean: 5, variance: 1 };
    expect(meanOfMaximum(time, time)).toBeCloseTo(5 + 1 / Math.sqrt(Math.PI), 14);
  });

  it("is what a million draws give, within five standard errors", () => {
    const random = createRandom(3);
    const [a, b] = [
      { mean: 1, variance: 0.04 },
      { mean: 1.1, variance: 0.09 },
    ];
    const count = 1_000_000;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      sum += Math.max(1 + 0.2 * random.normal(), 1.1 + 0.3 * random.normal());
    }
    const error = 0.25 / Math.sqrt(count);
    expect(Math.abs(meanOfMaximum(a, b) - sum / count)).toBeLessThan(5 * error);
  });

  it("rises with either mean, without steps: second differences are as smooth as the formula", () => {
    const at = (mean: number): number =>
      meanOfMaximum({ mean, variance: 1 }, { mean: 0, variance: 1 });
    for (let mean = -6; mean < 6; mean += 0.01) {
      expect(at(mean + 0.01)).toBeGreaterThan(at(mean) - 1e-15);
      expect(at(mean - 0.01) + at(mean + 0.01) - 2 * at(mean)).toBeGreaterThan(-1e-14);
    }
  });
});
