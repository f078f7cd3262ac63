import { describe, expect, it } from "vitest";
import { createRandom } from "../core/random.ts";
import { ThresholdCalibration, thresholdScoresOf } from "./threshold-calibration.ts";
import { MagnitudeHistogram } from "./threshold-histogram.ts";

const random = createRandom(11);
const normals = (count: number, scale = 1) =>
  Float32Array.from({ length: count }, () => scale * random.normal());

describe("a histogram of magnitudes", () => {
  it("gives the quantiles that sorting gives, to a tenth of a per cent", () => {
    const values = normals(20_000, 1e-3);
    const histogram = new MagnitudeHistogram();
    histogram.add(values.subarray(0, 7000));
    histogram.add(values.subarray(7000));
    const sorted = values.map(Math.abs).sort();
    for (const share of [0.01, 0.2, 0.5, 0.9, 0.999]) {
      const exact = sorted[Math.ceil(share * values.length) - 1] ?? 0;
      const quantile = histogram.quantile(share);
      // The end of the exact value's bucket, which is 1/1024 of its power of two wide.
      expect(quantile).toBeGreaterThan(exact);
      expect(quantile).toBeLessThanOrEqual(exact * (1 + 1 / 1024));
      const skipped = sorted.filter((value) => value < quantile).length / values.length;
      expect(skipped).toBeGreaterThanOrEqual(share);
    }
    expect(histogram.quantile(0)).toBe(0);
    expect(histogram.total).toBe(20_000);
  });

  it("counts zeros as the smallest and infinities as the largest", () => {
    const histogram = new MagnitudeHistogram();
    histogram.add(Float32Array.of(0, -0, 1, Number.NEGATIVE_INFINITY));
    expect(histogram.quantile(0.5)).toBeLessThan(1e-30);
    expect(histogram.quantile(0.75)).toBeGreaterThan(1);
    expect(histogram.quantile(1)).toBeGreaterThan(1e38);
  });
});

describe("threshold calibration", () => {
  const rows = 500;
  const shape = {
    dim: 4,
    neurons: [8, 16],
    gating: "gated",
    activation: { kind: "silu" },
  } as const;
  const silu = (x: number) => x / (1 + Math.exp(-x));

  it("skips the asked share of every layer, by either score", () => {
    const downNorms = shape.neurons.map((count) => normals(count).map(Math.abs));
    const calibration = new ThresholdCalibration({ shape, activate: silu, downNorms });
    const samples = shape.neurons.map((count, layer) => ({
      layer,
      input: new Float32Array(rows * 4),
      normed: new Float32Array(rows * 4),
      gate: normals(rows * count),
      h: normals(rows * count),
    }));
    for (const one of samples) calibration.offer(one);
    for (const { score, sparsity, values } of calibration.tables([0.2, 0.6])) {
      samples.forEach(({ gate, h }, layer) => {
        const norms = downNorms[layer] ?? new Float32Array(0);
        const magnitudes =
          score === "gate"
            ? gate.map(silu)
            : h.map((value, at) => value * (norms[at % norms.length] ?? 0));
        const skipped = magnitudes.filter((value) => Math.abs(value) < (values[layer] ?? 0)).length;
        expect(skipped / magnitudes.length).toBeGreaterThanOrEqual(sparsity - 1e-9);
        expect(skipped / magnitudes.length).toBeLessThan(sparsity + 0.005);
      });
    }
  });

  it("has no gate score where the gate alone does not decide", () => {
    expect(thresholdScoresOf(shape)).toEqual(["gate", "output"]);
    expect(thresholdScoresOf({ ...shape, gating: "ungated" })).toEqual(["output"]);
    expect(thresholdScoresOf({ ...shape, gating: "both" })).toEqual(["output"]);
  });
});
