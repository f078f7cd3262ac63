/** Workgroups and busy threads of the kernels that read single neurons, at the sizes of real models. */
import { describe, expect, it } from "vitest";
import type { WeightType } from "../../core/dtype.ts";
import { computeUnits, fullGrid, partsToFill } from "./fill.ts";
import { blockProgram, callsOf, largeCard, unreadWeight } from "./fixture.ts";
import { axpyGrid } from "./kernels/axpy.ts";
import { RecordingBuffers } from "./recording-buffers.ts";

const sizes = [
  [2048, 5632],
  [4096, 11_008],
  [8192, 28_672],
] as const;
const types: readonly WeightType[] = ["Q4_0", "F16", "Q6_K"];
const shares = [0.03, 0.1, 0.5, 1];

describe("partsToFill", () => {
  it("cuts no further than fills the card, than 256 items a part, than 32 parts", () => {
    expect(partsToFill({ groups: 16, items: 11_008 })).toBe(32);
    expect(partsToFill({ groups: 64, items: 28_672 })).toBe(8);
    expect(partsToFill({ groups: 1, items: 28_672 })).toBe(32);
    expect(partsToFill({ groups: 4, items: 1000 })).toBe(3);
    expect(partsToFill({ groups: 600, items: 11_008 })).toBe(1);
    expect(partsToFill({ groups: 16, items: 0 })).toBe(1);
  });
});

describe.each(sizes)("down by rows of dim %i, %i neurons", (dim, neurons) => {
  it.each(types)("in %s launches two groups or more for each of 128 units, for one row", (type) => {
    const calls = callsOf(blockProgram({ type, dim, neurons, method: "gate" }), 1);
    const down = calls.filter(({ call }) => call.label === "ffn 0 down");
    expect(down).toHaveLength(1);
    expect(down[0]!.groups).toBeGreaterThanOrEqual(2 * computeUnits);
    expect(down[0]!.groups).toBeLessThanOrEqual(2 * fullGrid);
    const join = calls.filter(({ call }) => call.label === "ffn 0 down join");
    expect(join.map(({ groups }) => groups)).toEqual([dim / 64]);
  });

  it.each(shares)("gives nearly every lane a neuron, at a share of %f active", (share) => {
    const shapes = new RecordingBuffers(largeCard);
    const weight = unreadWeight("down", "Q4_0", neurons, dim);
    const [piece] = shapes.matrix({ label: "down", weights: [weight] });
    const { columnGroups, parts, lanes } = axpyGrid(piece!, shapes);
    const active = Math.floor(neurons * share);
    const perPart = Math.ceil(active / parts);
    const busy =
      columnGroups * Math.min(active, Math.ceil(active / perPart) * Math.min(perPart, lanes));
    // 3 % of 5632 neurons are 168, eight for each part: half of a short row's lanes stay idle.
    expect(busy / (columnGroups * parts * lanes)).toBeGreaterThan(
      dim < 4096 && share < 0.1 ? 0.45 : 0.9,
    );
    // Threads with a read on the way: eight units a lane, or four of a short row.
    expect(busy * (64 / lanes)).toBeGreaterThan(share < 0.1 ? 10_000 : 20_000);
  });
});
