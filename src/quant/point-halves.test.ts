import { describe, expect, it } from "vitest";
import { createRandom } from "../core/random.ts";
import { PointHalves } from "./point-halves.ts";

const random = createRandom(3);
const levels = [-1, 0, 1];
const grid = Float64Array.from({ length: 8 * 300 }, () => levels[random.integer(3)]!);

const even = new Float64Array(8).fill(1);

/** The plain search. */
function nearest(points: Float64Array, units: Float64Array, weights = even): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let point = 0; point < points.length / 8; point++) {
    const distance = units.reduce(
      (sum, u, i) => sum + weights[i]! * (u - points[8 * point + i]!) ** 2,
      0,
    );
    if (distance < least - 1e-12) [best, least] = [point, distance];
  }
  return best;
}

describe("the nearest point", () => {
  it("is that of the plain search", () => {
    const halves = new PointHalves(grid);
    for (let i = 0; i < 500; i++) {
      const units = Float64Array.from({ length: 8 }, () => 2 * random.normal());
      expect(halves.nearest(Float64Array.from([9, ...units]), 1, even)).toBe(nearest(grid, units));
    }
  });

  it("minds how much each number counts", () => {
    const halves = new PointHalves(grid);
    for (let i = 0; i < 200; i++) {
      const units = Float64Array.from({ length: 8 }, () => 2 * random.normal());
      const weights = Float64Array.from({ length: 8 }, () => 0.1 + random.uniform());
      expect(halves.nearest(units, 0, weights)).toBe(nearest(grid, units, weights));
    }
  });

  it("is the first of equals, also of those in the middle between points", () => {
    const twice = Float64Array.from([...grid, ...grid]);
    const halves = new PointHalves(twice);
    for (let i = 0; i < 300; i++) {
      const units = Float64Array.from({ length: 8 }, () => (random.integer(5) - 2) / 2);
      expect(halves.nearest(units, 0, even)).toBe(nearest(twice, units));
    }
  });
});
