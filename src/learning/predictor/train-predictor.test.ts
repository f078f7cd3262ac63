import { describe, expect, it } from "vitest";
import { multiplyPlainly } from "../../core/matrix-product.ts";
import { createRandom } from "../../core/random.ts";
import {
  chooseCut,
  defaultTarget,
  measureSelection,
  type SelectionQuality,
} from "./predictor-quality.ts";
import { defaultTraining, type TrainingSettings, trainPredictor } from "./train-predictor.ts";
import { firstRank, meetsTarget, rankLadder, searchRank } from "./train-rank.ts";
import { frequencies, type LayerRows, RowReservoir, sliceRows } from "./train-rows.ts";

const dim = 16;
const neurons = 40;

/** Neuron r fires when its own random direction, shifted so that about one in six does, sees x. */
function separable(count: number, seed: number): LayerRows {
  const directions = createRandom(99);
  const weights = Float32Array.from({ length: neurons * dim }, () => directions.normal());
  const random = createRandom(seed);
  const reservoir = new RowReservoir({
    dim,
    neurons,
    capacity: count,
    keepsMagnitude: "with magnitudes",
    seed,
  });
  for (let row = 0; row < count; row++) {
    const x = Float32Array.from({ length: dim }, () => random.normal());
    const h = Float32Array.from({ length: neurons }, (_, neuron) => {
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += (weights[neuron * dim + i] ?? 0) * (x[i] ?? 0);
      return Math.max(0, sum - Math.sqrt(dim));
    });
    reservoir.offer(1, x, h);
  }
  return reservoir.rows();
}

const settings: TrainingSettings = {
  ...defaultTraining,
  target: defaultTarget,
  seed: 3,
  epochs: 8,
  batch: 64,
};
const rows = { train: separable(2000, 1), heldOut: separable(800, 2) };
const context = { multiply: multiplyPlainly };

describe("training a predictor", () => {
  it("reaches the recall on held-out rows of a separable problem at 2.5 times the active neurons or less", async () => {
    const trained = await trainPredictor(
      32,
      rows,
      { ...settings, epochs: 20, batch: 32, learningRate: 1e-2 },
      context,
    );
    expect(trained.quality.recall).toBeGreaterThan(0.93);
    expect(trained.quality.massRecall).toBeGreaterThan(0.985);
    expect(trained.quality.activeShare).toBeGreaterThan(0.1);
    // Without learning, 95 % of active neurons are found by selecting 95 % of all: a ratio of about 6.
    expect(trained.quality.ratio).toBeLessThan(2.5);
    expect(trained.fc1).toHaveLength(32 * dim);
    expect(trained.fc2).toHaveLength(neurons * 32);
  });

  it("gives the same weights for the same seed and others for another", async () => {
    const short = { ...settings, epochs: 1 };
    const first = await trainPredictor(8, rows, short, context);
    const again = await trainPredictor(8, rows, short, context);
    const other = await trainPredictor(8, rows, { ...short, seed: 4 }, context);
    expect(again).toEqual(first);
    expect(other.fc2).not.toEqual(first.fc2);
  });

  it("ends early when more epochs bring nothing", async () => {
    let epochs = 0;
    const hopeless = { ...settings, epochs: 20, learningRate: 0 };
    await trainPredictor(8, rows, hopeless, { ...context, onEpoch: () => epochs++ });
    expect(epochs).toBe(3);
  });

  it("can be cancelled", async () => {
    const signal = AbortSignal.abort();
    await expect(trainPredictor(8, rows, settings, { ...context, signal })).rejects.toThrow();
  });
});

describe("a cut", () => {
  it("is the highest that reaches the recall, to a bucket", () => {
    const random = createRandom(5);
    const scores = Float32Array.from({ length: rows.heldOut.count * neurons }, () =>
      random.normal(),
    );
    const { magnitude: _, ...unweighted } = rows.heldOut;
    const cut = chooseCut(scores, unweighted, { recall: 0.9, massRecall: 0 });
    const at = measureSelection(scores, unweighted, cut);
    const above = measureSelection(scores, unweighted, cut + 2e-3);
    expect(at.recall).toBeGreaterThanOrEqual(0.9);
    expect(at.recall).toBeLessThan(0.902);
    expect(above.recall).toBeLessThan(0.9);
  });

  it("goes lower where the mass asks for it", () => {
    const { heldOut } = rows;
    // Large activations score lowest, so the mass needs nearly all.
    const scores = Float32Array.from(heldOut.magnitude ?? [], (value) => -value);
    const cut = chooseCut(scores, heldOut, { recall: 0.5, massRecall: 0.99 });
    const { recall, massRecall } = measureSelection(scores, heldOut, cut);
    expect(massRecall).toBeGreaterThanOrEqual(0.99);
    expect(recall).toBeGreaterThan(0.9);
  });

  it("is infinite where nothing was active", () => {
    const none = { ...rows.heldOut, active: new Uint8Array(rows.heldOut.active.length) };
    const scores = new Float32Array(none.count * neurons);
    expect(chooseCut(scores, none, defaultTarget)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a row reservoir", () => {
  it("keeps all rows while there is room, then a uniform sample of them", () => {
    const reservoir = new RowReservoir({
      dim: 1,
      neurons: 1,
      capacity: 500,
      keepsMagnitude: "without magnitudes",
      seed: 1,
    });
    const x = Float32Array.from({ length: 5000 }, (_, i) => i);
    reservoir.offer(5000, x, x);
    const kept = reservoir.rows();
    expect(kept.count).toBe(500);
    expect(new Set(kept.x).size).toBe(500);
    const mean = kept.x.reduce((sum, value) => sum + value, 0) / 500;
    // The mean of 500 of 5000: 5 of its own standard deviations.
    expect(Math.abs(mean - 2500)).toBeLessThan((5 * 5000) / Math.sqrt(12 * 500));
  });

  it("counts how often a neuron was active", () => {
    const frequency = frequencies(sliceRows(rows.train, 0, 1000));
    const share = frequency.reduce((sum, value) => sum + value, 0) / neurons;
    expect(share).toBeCloseTo(
      measureSelection(new Float32Array(1000 * neurons), sliceRows(rows.train, 0, 1000), 0)
        .activeShare,
      10,
    );
  });
});

describe("the search for a hidden size", () => {
  const limits = { dim: 4096, neurons: 11008, matrices: 3 };
  const criterion = { target: { recall: 0.95, massRecall: 0.99 }, maxRatio: 2.5 };
  const quality = (ratio: number): SelectionQuality => ({
    recall: 0.95,
    massRecall: 0.99,
    precision: 1 / ratio,
    activeShare: 0.1,
    selectedShare: 0.1 * ratio,
    ratio,
  });

  for (const needed of [32, 64, 96, 384, 1024]) {
    it(`finds ${needed} when that is the smallest that suffices`, async () => {
      const tried: number[] = [];
      const result = await searchRank(
        { ladder: rankLadder(limits), first: 256, criterion },
        async (rank) => {
          tried.push(rank);
          return { rank, quality: quality(rank >= needed ? 2 : 3) };
        },
      );
      expect(result.rank).toBe(needed);
      expect(tried.length).toBeLessThanOrEqual(6);
    });
  }

  it("takes the largest when none suffices", async () => {
    const ladder = rankLadder(limits);
    const result = await searchRank({ ladder, first: 256, criterion }, async (rank) => ({
      rank,
      quality: quality(3),
    }));
    expect(result.rank).toBe(ladder.at(-1));
    expect(meetsTarget(result.quality, criterion)).toBe(false);
  });

  it("begins larger for dense layers and smaller for skewed ones", () => {
    const even = (share: number) => new Float64Array(11008).fill(share);
    const skewed = even(0).map((_, i) => (i % 10 === 0 ? 1 : 0));
    expect(firstRank(limits, even(0.3))).toBeGreaterThan(firstRank(limits, even(0.1)));
    expect(firstRank(limits, skewed)).toBeLessThan(firstRank(limits, even(0.1)));
  });
});
