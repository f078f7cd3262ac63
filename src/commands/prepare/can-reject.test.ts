import { describe, expect, it } from "vitest";
import type { ScoredTargets } from "../../learning/check/checked-model.ts";
import { canReject } from "./can-reject.ts";

/** Each target costs `change` more than the dense model's, one half of them 0.1 more and one half less. */
function scored(count: number, change: number, bytesPerToken: number): ScoredTargets {
  return {
    losses: Float64Array.from({ length: count }, (_, i) => 3 + change + (i % 2 === 0 ? 0.1 : -0.1)),
    likeliest: new Int32Array(count),
    activeShare: 0.5,
    bytesPerToken,
    bytesSkipped: 0,
  };
}
const dense = { ...scored(4000, 0, 1000), losses: new Float64Array(4000).fill(3) };
const rival = { maxPerplexityLoss: 0.01, cheapest: undefined, windows: 2 };

describe("a method that is being checked", () => {
  it("is rejected when its change misses the limit by three standard errors", () => {
    // 400 targets: a standard error of 0.1 / 20 = 0.5 %, so that 2.5 % is the border.
    expect(canReject(() => scored(400, 0.03, 500), dense, rival)).toBe(true);
    expect(canReject(() => scored(400, -0.03, 500), dense, rival)).toBe(true);
    expect(canReject(() => scored(400, 0.02, 500), dense, rival)).toBe(false);
  });

  it("is rejected when another one that keeps the quality reads clearly less", () => {
    expect(canReject(() => scored(400, 0, 500), dense, { ...rival, cheapest: 470 })).toBe(true);
    expect(canReject(() => scored(400, 0, 500), dense, { ...rival, cheapest: 490 })).toBe(false);
  });

  it("is looked at only when its windows have doubled, and not before a hundred targets", () => {
    expect(canReject(() => scored(400, 1, 500), dense, { ...rival, windows: 3 })).toBe(false);
    expect(canReject(() => scored(99, 1, 500), dense, rival)).toBe(false);
  });
});
