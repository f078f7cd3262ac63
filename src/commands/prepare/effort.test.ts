import { describe, expect, it } from "vitest";
import { TrainingEffort } from "./effort.ts";

/** Shares done after each pass and each end of a layer. */
function sharesOf(passesOfLayers: readonly number[]): readonly number[] {
  const shares: number[] = [];
  const shape = { layers: passesOfLayers.length, dim: 64, epochs: 10 };
  const effort = new TrainingEffort(shape, (done, total) => shares.push(done / total));
  for (const passes of passesOfLayers) {
    for (let pass = 0; pass < passes; pass++) effort.pass(32, 128);
    effort.finishLayer();
  }
  return shares;
}

describe("the effort of training", () => {
  it("expects two sizes of all passes for a layer while none is known", () => {
    expect(sharesOf([10, 10]).at(0)).toBeCloseTo(1 / 40, 9);
  });

  it("expects of the layers to come what those before took", () => {
    const shares = sharesOf([10, 10, 10]);
    // After layer 0, and half of layer 1.
    expect(shares[10]).toBeCloseTo(1 / 3, 9);
    expect(shares[15]).toBeCloseTo(1 / 2, 9);
  });

  it("is never all done before the end, and then it is", () => {
    const shares = sharesOf([4, 30]);
    expect(Math.max(...shares.slice(0, -1))).toBeLessThan(1);
    expect(shares.at(-1)).toBe(1);
  });
});
