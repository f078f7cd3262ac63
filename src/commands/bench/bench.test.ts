/** The bench on a tiny model: what it counts, and that it runs as `run` does. Speeds themselves are no test's business. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../../test/fixtures/tiny-model.ts";
import { Engine } from "../../engine/engine.ts";
import { longestContext } from "../../engine/option-rules.ts";
import { findNodeLlamaCpp } from "./against.ts";
import { bench } from "./bench.ts";
import { medianInterval, ratioOf, spreadOf } from "./statistics.ts";

let model: TinyModel;
beforeAll(async () => {
  model = await makeTinyModel(["--arch", "arcee"]);
});
afterAll(() => model[Symbol.dispose]());

describe("bench", () => {
  it("measures every test of every configuration, in turn, without the warm-up", async () => {
    const runs: number[] = [];
    const report = await bench({
      models: [model.path],
      configurations: [
        { device: "reference", sparsity: "dense" },
        { device: "reference", sparsity: "gate" },
      ],
      promptTokens: [8, 0],
      answerTokens: [4],
      repetitions: 2,
      onRun: (done, total) => runs.push(done / total),
    });
    expect(report.results.map(({ test, sparsity }) => `${sparsity} ${test}`)).toEqual([
      "dense pp8",
      "dense tg4",
      "gate pp8",
      "gate tg4",
    ]);
    expect(runs).toHaveLength(3 * 4);
    expect(runs.at(-1)).toBe(1);
    for (const { tokens_per_second: rates } of report.results) {
      expect(rates.samples).toHaveLength(2);
      expect(rates.low).toBeGreaterThan(0);
      expect(rates.high).toBeGreaterThanOrEqual(rates.median);
    }
    const [, dense, , gate] = report.results;
    expect(dense?.active_share).toBeUndefined();
    expect(gate?.active_share).toBeGreaterThan(0);
    expect(gate?.active_share).toBeLessThan(1);
    expect(gate?.bytes_per_token).toBeLessThan(dense?.bytes_per_token ?? 0);
  });

  it("counts the weights that a dense token reads: all but the embedding", async () => {
    const engine = await Engine.open(model.path, { device: "reference" });
    const { types, embedding } = engine.model;
    const all = types.reduce((sum, { bytes }) => sum + bytes, 0);
    engine.close();
    const { results } = await bench({
      models: [model.path],
      configurations: [{ device: "reference", sparsity: "dense" }],
      promptTokens: [],
      answerTokens: [2],
      repetitions: 1,
    });
    expect(results[0]?.bytes_per_token).toBe(all - (engine.model.tied ? 0 : embedding));
  });

  it("writes several answers at once, and then says nothing of bytes a token", async () => {
    const { results } = await bench({
      models: [model.path],
      configurations: [{ device: "reference" }],
      promptTokens: [0],
      answerTokens: [3],
      parallel: [1, 4],
      repetitions: 1,
    });
    expect(results.map(({ test }) => test)).toEqual(["tg3", "tg3x4"]);
    expect(results[1]?.tokens_per_second.median).toBeGreaterThan(0);
    expect(results[1]?.bytes_per_token).toBeUndefined();
  });

  it("reads a text before a test that has a depth, and counts the test alone", async () => {
    const { results } = await bench({
      models: [model.path],
      configurations: [{ device: "reference" }],
      promptTokens: [4],
      answerTokens: [3],
      parallel: [1, 2],
      depth: [0, 40],
      repetitions: 1,
    });
    const deep = ["pp4 @ d40", "tg3 @ d40", "tg3x2 @ d40"];
    expect(results.map(({ test }) => test)).toEqual(["pp4", "tg3", "tg3x2", ...deep]);
    for (const { tokens_per_second: rates } of results) expect(rates.low).toBeGreaterThan(0);
    // What is read of the cache is no weight.
    expect(results.map((one) => one.bytes_per_token !== undefined)).toEqual([
      ...[false, true, false],
      ...[false, false, false],
    ]);
  });

  it("refuses what measures nothing", async () => {
    const models = [model.path];
    await expect(bench({ models, promptTokens: [0], answerTokens: [0] })).rejects.toThrow(
      "no test",
    );
    await expect(bench({ models, repetitions: 0 })).rejects.toThrow("repetitions");
    await expect(bench({ models: [] })).rejects.toThrow("models");
    const old = join(model.path, "..", "old-llama-bench");
    writeFileSync(old, "#!/bin/sh\necho --n-prompt --n-gen\n", { mode: 0o755 });
    await expect(bench({ models, depth: [9], againstLlamaBench: old })).rejects.toThrow(
      /^depth: "?9"? is not usable; expected 0 beside this llama-bench, which is too old/,
    );
    expect(() => findNodeLlamaCpp("/nowhere/at/all")).toThrow("npm install node-llama-cpp");
  });
});

describe("the limits of bench", () => {
  it.each([
    ["promptTokens", { promptTokens: [longestContext - 1] }],
    ["answerTokens", { answerTokens: [longestContext] }],
    ["depth", { depth: [longestContext - 1] }],
    ["depth", { depth: [longestContext - 100], answerTokens: [99] }],
    ["parallel", { parallel: [1025] }],
    ["batchSize", { configurations: [{}, { batchSize: 4097 }] }],
    ["threads", { configurations: [{}, { threads: 0 }] }],
    ["contextLength", { configurations: [{ contextLength: 0 }] }],
  ] as const)("are the engine's, before a model is opened: %s", async (option, wrong) => {
    await expect(bench({ models: ["no-such.gguf"], ...wrong })).rejects.toThrow(
      new RegExp(`^${option}`),
    );
  });
});

describe("the spread", () => {
  it("is the median between the least and the greatest; ratios are taken round by round", () => {
    expect(spreadOf([3, 1, 2, 10])).toEqual({
      median: 2.5,
      low: 1,
      high: 10,
      samples: [3, 1, 2, 10],
    });
    expect(ratioOf([2, 9, 4], [1, 3, 4])).toMatchObject({ median: 2, low: 1, high: 3 });
  });

  it("says where the median lies: ranks 4 to 12 of 15, all of a few", () => {
    const ranks = [8, 1, 15, 2, 14, 3, 13, 4, 12, 5, 11, 6, 10, 7, 9];
    const interval = medianInterval(ranks);
    expect(interval).toMatchObject({ low: 4, high: 12 });
    // 1 - 2 (1 + 15 + 105 + 455) / 2^15: the tails of fewer than four heads in 15 tosses.
    expect(interval.confidence).toBeCloseTo(0.96484, 5);
    expect(medianInterval([3, 1, 2])).toEqual({ low: 1, high: 3, confidence: 0.75 });
    expect(medianInterval([1, 2, 3, 4, 5, 6])).toMatchObject({ low: 1, high: 6 });
  });
});
