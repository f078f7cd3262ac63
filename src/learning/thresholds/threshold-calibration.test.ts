import { describe, expect, it } from "vitest";
import { createRandom } from "../../core/random.ts";
import { calibratedPoints, neuronScoresOf, ThresholdCalibration } from "./threshold-calibration.ts";
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
    const columnNorms = shape.neurons.map(() => ({
      attention: normals(4).map(Math.abs),
      attentionOutput: normals(6).map(Math.abs),
      ffn: normals(4).map(Math.abs),
    }));
    const scores = { shape, activate: silu, downNorms, columnNorms };
    const calibration = new ThresholdCalibration(scores);
    const samples = shape.neurons.map((count, layer) => ({
      layer,
      input: new Float32Array(rows * 4),
      normed: normals(rows * 4),
      attentionInput: normals(rows * 4),
      attentionOutput: normals(rows * 6),
      gate: normals(rows * count),
      h: normals(rows * count),
    }));
    for (const one of samples) calibration.offer(one);
    const weighted = (x: Float32Array, norms: Float32Array | undefined) =>
      x.map((value, at) => value * (norms?.[at % norms.length] ?? 0));
    const skips = (magnitudes: Float32Array, value: number | undefined, share: number) => {
      const skipped = magnitudes.filter((one) => Math.abs(one) < (value ?? 0)).length;
      expect(skipped / magnitudes.length).toBeGreaterThanOrEqual(share - 1e-9);
      expect(skipped / magnitudes.length).toBeLessThan(share + 0.005);
    };
    const shares = { attention: 0.1, attentionOutput: 0.3, ffn: 0.5, output: 0.7 };
    const tables = calibration.tables([0.2, 0.6], [shares]);
    expect(tables.map(({ score }) => score)).toEqual(["gate", "gate", "output", "output", "input"]);
    for (const table of tables) {
      samples.forEach(({ gate, h, attentionInput, attentionOutput, normed }, layer) => {
        const columns = columnNorms[layer];
        const outputs = weighted(h, downNorms[layer]);
        if (table.score !== "input") {
          const magnitudes = table.score === "gate" ? gate.map(silu) : outputs;
          skips(magnitudes, table.values[layer], table.sparsity);
          return;
        }
        const values = table.values[layer];
        skips(weighted(attentionInput, columns?.attention), values?.attention, 0.1);
        skips(weighted(attentionOutput, columns?.attentionOutput), values?.attentionOutput, 0.3);
        skips(weighted(normed, columns?.ffn), values?.ffn, 0.5);
        skips(outputs, values?.output, 0.7);
      });
    }
  });

  it("tries few points of inputs: each costs a run over the text", () => {
    expect(calibratedPoints.length).toBeLessThanOrEqual(8);
  });

  it("has no gate score where the gate alone does not decide", () => {
    expect(neuronScoresOf(shape)).toEqual(["gate", "output"]);
    expect(neuronScoresOf({ ...shape, gating: "ungated" })).toEqual(["output"]);
    expect(neuronScoresOf({ ...shape, gating: "both" })).toEqual(["output"]);
  });
});
