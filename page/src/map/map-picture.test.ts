/** The map's arithmetic: where a neuron lies, what curve the counts make, and a picture of a model of 80 × 28,672. */
import { describe, expect, it } from "vitest";
import { layoutOf, middleOf, placeAt, whole, within, zoomed } from "./layout.ts";
import { orderOf, powerCurve, shareFor, workAt } from "./numbers.ts";

describe("a neuron's place", () => {
  const layout = layoutOf([1536, 1536, 40, 28_672], 900, 400);
  it("is found again by its middle, in any window", () => {
    const windows = [
      whole,
      within(layout, { x: 100, y: 60, zoom: 3 }),
      within(layout, { x: 5, y: 5, zoom: 64 }),
    ];
    for (const window of windows) {
      for (const [layer, neurons] of [1536, 1536, 40, 28_672].entries()) {
        for (const at of [0, 1, Math.floor(neurons / 3), neurons - 1]) {
          const { x, y } = middleOf(layout, { layer, at });
          const point = { x: (x - window.x) * window.zoom, y: (y - window.y) * window.zoom };
          expect(placeAt(layout, window, point)).toEqual({ layer, at });
        }
      }
    }
  });

  it("stays under the pointer when the picture is enlarged, and the picture never leaves its frame", () => {
    const around = { x: 300, y: 200 };
    const before = placeAt(layout, whole, around);
    expect(placeAt(layout, zoomed(layout, whole, 8, around), around)).toEqual(before);
    expect(within(layout, { x: -50, y: 9999, zoom: 2 })).toEqual({ x: 0, y: 200, zoom: 2 });
    expect(zoomed(layout, { x: 10, y: 10, zoom: 2 }, 0.01, around)).toEqual(whole);
  });
});

describe("the curve", () => {
  it("of equal neurons is straight, of one that does everything it jumps", () => {
    const even = powerCurve([new Array(1000).fill(1)], [new Array(1000).fill(3)]);
    for (const share of [0, 0.25, 0.5, 1]) expect(workAt(even, share)).toBeCloseTo(share, 5);
    const one = powerCurve([[0, 5, 0, 0]], [[0, 5, 0, 0]]);
    expect(shareFor(one, 0.99)).toBe(0.25);
    expect(powerCurve([[1, 2]], [[0, 0]])).toEqual([]);
  });

  it("goes by the order that is given, and ends with all of the work", () => {
    const curve = powerCurve(
      [
        [3, 2],
        [1, 0],
      ],
      [
        [0, 0],
        [0, 8],
      ],
    );
    expect(workAt(curve, 0.75)).toBe(0);
    expect(curve.at(-1)).toEqual({ share: 1, work: 1 });
    expect([...orderOf([1, 9, 1, 4])]).toEqual([1, 3, 0, 2]);
  });
});
