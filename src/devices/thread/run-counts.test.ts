/** What a device's thread counted, added up over runs. */
import { describe, expect, it } from "vitest";
import type { FfnCounts } from "../../backends/backend.ts";
import { RunCounts } from "./run-counts.ts";

describe("counts of runs", () => {
  it("take a layer's two mixtures as parts of the same rows, and its block apart", () => {
    const routed: FfnCounts = {
      layer: 1,
      ofExperts: true,
      active: 32,
      rows: 2,
      neurons: 64,
      bytesTouched: 100,
    };
    const shared: FfnCounts = { ...routed, active: 16, neurons: 8, bytesTouched: 10 };
    const block: FfnCounts = { layer: 1, active: 6, rows: 2, neurons: 3, bytesTouched: 5 };
    const counts = new RunCounts();
    for (let run = 0; run < 3; run++) counts.add([block, routed, shared], []);
    expect(counts.takeFfn()).toEqual([
      { layer: 1, active: 18, rows: 6, neurons: 3, bytesTouched: 15 },
      { layer: 1, ofExperts: true, active: 144, rows: 6, neurons: 72, bytesTouched: 330 },
    ]);
    expect(counts.takeFfn()).toEqual([]);
  });
});
