import { describe, expect, it } from "vitest";
import { sigmoid } from "./sigmoid.ts";

describe("the logistic function from a table", () => {
  it("is off by no more than its interpolation and the rounding of f32", () => {
    // h²/8 · max |σ″| with h = 1/64 and max |σ″| = 0.0963, and three roundings of values up to 1.
    const most = 0.0963 / 64 ** 2 / 8 + 3 * 2 ** -24;
    for (let z = -20; z <= 20; z += 0.0137) {
      expect(Math.abs(sigmoid(z) - 1 / (1 + Math.exp(-z)))).toBeLessThanOrEqual(most);
    }
  });

  it("ends in 0 and 1, and passes NaN on", () => {
    expect(sigmoid(-1e30)).toBeLessThan(2e-7);
    expect(sigmoid(1e30)).toBeGreaterThan(1 - 2e-7);
    expect(sigmoid(Number.NaN)).toBeNaN();
  });
});
