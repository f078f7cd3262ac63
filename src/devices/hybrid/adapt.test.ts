/** Which neurons change places, from counts made by hand. */
import { describe, expect, it } from "vitest";
import type { FfnCounts, NeuronCounts } from "../../backends/backend.ts";
import { runAtOnce } from "../../core/pausable.ts";
import type { PlanLayer } from "../../placement/plan.ts";
import { HybridAdapter, minTokens } from "./adapt.ts";
import { joinNeuronCounts } from "./neuron-rates.ts";

const tokens = 100;

/** Neurons 0 to hot − 1 are hot. */
function layerOf(unitCount: number, hot: number): PlanLayer {
  const ids = Uint32Array.from({ length: unitCount }, (_, id) => id);
  return {
    unit: "neuron",
    unitCount,
    attentionDevice: "gpu0",
    parts: [
      { device: "gpu0", units: ids.subarray(0, hot) },
      { device: "cpu", units: ids.subarray(hot) },
    ],
  };
}

function active(layer: number, count: number): FfnCounts {
  const rest = { rows: tokens, neurons: 0, bytesTouched: 0, predictorTime: 0, time: 0 };
  return { layer, active: count, ...rest };
}

/** Active shares of the cold neurons of a layer of which the first `hot` are hot. */
function watched(layer: number, hot: number, shares: readonly number[]): NeuronCounts {
  return {
    layer,
    rows: tokens,
    neurons: Uint32Array.from(shares, (_, i) => hot + i),
    active: Uint32Array.from(shares, (share) => share * tokens),
  };
}

describe("an exchange of neurons", () => {
  it("is due when enough was seen and the card's share falls short by more than the margin", () => {
    const adapter = new HybridAdapter([layerOf(8, 4)], { expectedShare: 0.5 });
    adapter.counted([active(0, 10)], [active(0, 90)], minTokens - 1);
    expect(adapter.isDue).toBe(false);
    adapter.counted([active(0, 10)], [active(0, 90)], 1);
    expect(adapter.isDue).toBe(true);
    const met = new HybridAdapter([layerOf(8, 4)], { expectedShare: 0.5 });
    met.counted([active(0, 46)], [active(0, 54)], tokens);
    expect(met.isDue).toBe(false);
  });

  it("brings the cold neurons that are active most in the place of hot ones that rest", () => {
    const adapter = new HybridAdapter([layerOf(6, 2)], { expectedShare: 0.9 });
    adapter.counted([active(0, 10)], [active(0, 190)], tokens);
    adapter.watched([watched(0, 2, [0.1, 0.9, 0, 0.9])]);
    const exchanges = runAtOnce(adapter.choose());
    expect(exchanges.map(({ toGpu }) => [...toGpu])).toEqual([[3], [5]]);
    expect(exchanges.map(({ toCpu }) => [...toCpu])).toEqual([[1], [0]]);
    adapter.exchanged(exchanges);
    expect(adapter.exchangedGroups).toBe(2);
    expect(adapter.isDue).toBe(false);
    expect(runAtOnce(adapter.choose())).toEqual([]);
  });

  it("gives up first what the profile thinks least of, and what was seen to rest", () => {
    const frequencies = [Float32Array.of(0.5, 0.1, 0.4, 0.2, 0, 0, 0, 0)];
    const adapter = new HybridAdapter([layerOf(8, 4)], { expectedShare: 0.9, frequencies });
    adapter.counted([active(0, 40)], [active(0, 200)], tokens);
    adapter.watched([watched(0, 4, [0.9, 0.8, 0.01, 0.02])]);
    // A group is half of the smaller side; the cold ones that are left would gain nothing.
    const exchanges = runAtOnce(adapter.choose());
    expect(exchanges.map(({ toGpu }) => [...toGpu])).toEqual([[4, 5]]);
    expect(exchanges.map(({ toCpu }) => [...toCpu])).toEqual([[1, 3]]);
  });

  it("leaves everything where it is when nothing would be gained", () => {
    const adapter = new HybridAdapter([layerOf(8, 4)], { expectedShare: 0.9 });
    adapter.counted([active(0, 200)], [active(0, 210)], tokens);
    adapter.watched([watched(0, 4, [0.55, 0.5, 0.5, 0.55])]);
    expect(adapter.isDue).toBe(true);
    expect(runAtOnce(adapter.choose())).toEqual([]);
  });

  it("moves four groups of 64 at a time, the best of all layers", () => {
    const layers = [layerOf(1024, 512), layerOf(1024, 512)];
    const adapter = new HybridAdapter(layers, { expectedShare: 0.9 });
    adapter.counted([active(0, 512), active(1, 512)], [active(0, 5e4), active(1, 5e4)], tokens);
    const shares = Array.from({ length: 512 }, () => 0.5);
    adapter.watched([
      watched(0, 512, shares),
      watched(1, 512, [...shares.slice(64), ...Array(64).fill(1)]),
    ]);
    const exchanges = runAtOnce(adapter.choose());
    expect(exchanges.map(({ layer }) => layer)).toEqual([1, 0, 0, 0]);
    expect(exchanges.map(({ toGpu, toCpu }) => [toGpu.length, toCpu.length])).toEqual(
      Array.from({ length: 4 }, () => [64, 64]),
    );
  });
});

describe("counts of neurons from several times", () => {
  it("are one for each layer, scaled to the time that most were watched", () => {
    const joined = joinNeuronCounts([
      { layer: 0, rows: 10, neurons: Uint32Array.of(1, 2), active: Uint32Array.of(5, 10) },
      { layer: 0, rows: 30, neurons: Uint32Array.of(2, 3), active: Uint32Array.of(10, 15) },
    ]);
    expect(joined).toEqual([
      { layer: 0, rows: 40, neurons: Uint32Array.of(1, 2, 3), active: Uint32Array.of(20, 20, 20) },
    ]);
  });
});
