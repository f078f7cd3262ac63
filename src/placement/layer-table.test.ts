import { describe, expect, it } from "vitest";
import { createRandom, type Random } from "../core/random.ts";
import { type Front, paretoFront } from "./front.ts";
import { LayerTable } from "./layer-table.ts";

/** Costs are sums of some ten doubles of up to 100. */
const rounding = 1e-11;

/** A convex run of up to 60 points, `step` units apart, then perhaps a drop: the curve of a real layer. */
function randomFront(random: Random, unit: number): Front {
  const length = 8 + random.integer(52);
  const step = unit * (1 + random.integer(4));
  const start = 20 + random.integer(80);
  const linear = random.uniform() < 0.3;
  const bytes = Array.from({ length: length + 1 }, (_, n) => n * step);
  const costs = bytes.map(
    (_, n) => (linear ? start * (1 - n / length) : start * (1 - n / length) ** 2) + 5,
  );
  if (random.uniform() < 0.5) bytes[length] = bytes[length]! - step + unit;
  if (random.uniform() < 0.5) costs[length] = random.uniform() * 5;
  return paretoFront({ bytes, costs, tags: bytes.map((_, n) => n) });
}

/** The definition: least[c] over all choices of every layer, by whole-number capacities. */
function plainProduct(fronts: readonly Front[], capacity: number): Float64Array {
  let least = new Float64Array(capacity + 1);
  for (const front of fronts) {
    least = Float64Array.from(least, (_, c) => {
      let best = Number.POSITIVE_INFINITY;
      front.bytes.forEach((bytes, i) => {
        if (bytes <= c) best = Math.min(best, least[c - bytes]! + front.costs[i]!);
      });
      return best;
    });
  }
  return least;
}

describe("LayerTable", () => {
  it("equals the plain (min, +) product for every capacity in 100 random cases, and restores its choices", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = createRandom(seed);
      const unit = 1 + random.integer(3);
      const fronts = Array.from({ length: 1 + random.integer(5) }, () => randomFront(random, unit));
      const capacity = random.integer(600);
      const table = new LayerTable(unit, capacity);
      for (const [layer, front] of fronts.entries()) table.add(layer, front);
      const least = plainProduct(fronts, capacity);
      for (let c = 0; c <= capacity; c++) {
        const { tag, cost } = table.cheapest(c);
        expect(Math.abs(cost - least[c]!), `seed ${seed}, capacity ${c}`).toBeLessThanOrEqual(
          rounding * cost,
        );
        if (c % 37 !== 0) continue;
        const hotGroups: number[] = [];
        table.restore(tag, 0, hotGroups);
        const picks = fronts.map((front, layer) => front.tags.indexOf(hotGroups[layer]!));
        const bytes = fronts.reduce((sum, front, layer) => sum + front.bytes[picks[layer]!]!, 0);
        const restored = fronts.reduce((sum, front, layer) => sum + front.costs[picks[layer]!]!, 0);
        expect(bytes).toBeLessThanOrEqual(c);
        expect(Math.abs(restored - cost)).toBeLessThanOrEqual(rounding * cost);
      }
    }
  });
});
