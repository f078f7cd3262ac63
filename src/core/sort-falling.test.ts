import { describe, expect, it } from "vitest";
import { createRandom } from "./random.ts";
import { FallingSorter } from "./sort-falling.ts";

describe("the sorter of floats", () => {
  it("puts NaN first, then falls from infinity to −infinity; ties and zeros by the lower index", () => {
    const { NaN: nan, POSITIVE_INFINITY: most, NEGATIVE_INFINITY: least } = Number;
    const values = Float32Array.of(0, -1, least, -0, 2, nan, most, 1e-40, -1e-40, 2, -nan);
    const order = new FallingSorter(values.length).order(values, values.length);
    expect([...order]).toEqual([5, 10, 6, 4, 9, 7, 0, 3, 8, 1, 2]);
  });

  it("sorts as a comparison does, again and again and of any count", () => {
    const random = createRandom(5);
    const sorter = new FallingSorter(5000);
    for (const count of [0, 1, 2, 777, 5000]) {
      const values = Float32Array.from({ length: count }, () =>
        Math.fround(random.normal() * 10 ** random.integer(6) * (random.integer(9) === 0 ? 0 : 1)),
      );
      const expected = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);
      expect([...sorter.order(values, count).subarray(0, count)]).toEqual(expected);
    }
  });
});
