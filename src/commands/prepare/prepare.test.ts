/** Preparing whole models: small ones in seconds, from their own text, resumed, and never recommending too much loss. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { makeTinyModel, type TinyModel } from "../../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../../backends/addon.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { defined } from "../../core/defined.ts";
import { sidecarModelOf } from "../../engine/model-sidecar.ts";
import { openModelFile } from "../../engine/open.ts";
import { resolveSparsity } from "../../engine/resolve-sparsity.ts";
import { openGguf } from "../../gguf/open.ts";
import {
  CheckedModel,
  compareTargets,
  type ScoredTargets,
  scoreTargets,
} from "../../learning/check/checked-model.ts";
import { calibratedPoints } from "../../learning/thresholds/threshold-calibration.ts";
import { openModel } from "../../model/model.ts";
import { logSumExp } from "../../runtime/sampling/logprobs.ts";
import { openSidecar } from "../../sparsity/sidecar/read.ts";
import type { Sidecar, ThresholdTable } from "../../sparsity/sidecar/sidecar.ts";
import { type PrepareReport, prepareModel, trainPredictors } from "./prepare.ts";

/** Predictors are trained, on machines without the addon too. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), "hearth-prepare-"));
afterAll(() => rmSync(folder, { recursive: true }));
const quick = { tokens: 1500, window: 48, epochs: 2 } as const;
const addon = loadAddon();
const withoutAddon = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";
/** The smallest that fires on demand. */
const small = ["--dim", "128", "--ffn", "256"];

function opened(path: string, sidecar: string): Sidecar {
  return openSidecar(sidecar, sidecarModelOf(openModel(openGguf(path))));
}

describe("preparing a ReLU model", () => {
  const sidecar = join(folder, "relu.sparsity.gguf");
  let model: TinyModel;
  let report: PrepareReport;
  const layers: number[] = [];

  beforeAll(async () => {
    model = await makeTinyModel([...small, "--arch", "arcee", "--active", "0.2"]);
    report = await prepareModel(model.path, {
      ...quick,
      sidecar,
      onLayer: ({ layer }) => layers.push(layer),
    });
  });
  afterAll(() => model?.[Symbol.dispose]());

  it("writes profile, transposed down, predictors, sign bits and a recommendation", () => {
    const kept = opened(model.path, sidecar);
    expect(kept.profile?.tokens).toBeGreaterThan(1000);
    expect(kept.downRows.every((rows) => rows !== undefined)).toBe(true);
    expect(kept.predictors.map((one) => one?.fc1.columns)).toEqual([128, 128]);
    expect(kept.signMargins?.map((margins) => margins.length)).toEqual([256, 256]);
    expect(kept.signCentres?.map((centre) => centre.length)).toEqual([128, 128]);
    expect(kept.recommendation?.method).toBe(report.recommendation.method);
    expect(layers).toEqual([0, 1]);
  });

  it("says that it learnt from text of the model's own", () => {
    expect(report.notices.join()).toMatch(/no corpus was given: learning from 1500 tokens sampled/);
    expect(report.checkedOn).toEqual([expect.stringContaining("text sampled from the model")]);
    expect(report.recommendation.reason).toContain(`held-out tokens of ${report.checkedOn[0]}`);
  });

  it("measures gate as exact and compares the rest with dense", () => {
    const names = report.methods.map(({ method }) => method);
    expect(names).toEqual(["dense", "gate", "mlp", "sign"]);
    const [dense, gate] = report.methods;
    expect(dense?.agreement).toBe(1);
    // Only the order of summation differs: float noise of 256 terms, far below a hundredth of a per cent.
    expect(Math.abs(gate?.perplexityLoss ?? 1)).toBeLessThan(1e-4);
    expect(gate?.activeShare).toBeLessThan(0.5);
    expect(gate?.bytesPerToken).toBeLessThan(dense?.bytesPerToken ?? 0);
    expect(report.decodedTokens).toBeGreaterThan(50);
    for (const { quality } of report.trained) expect(quality.recall).toBeGreaterThan(0.8);
  });

  it("recommends the method that reads least of those within the asked loss", () => {
    const [dense, ...sparse] = report.methods;
    const allowed = sparse.filter(
      ({ perplexityLoss, lossError, judgedTokens }) =>
        judgedTokens === dense?.judgedTokens &&
        Math.abs(perplexityLoss) + lossError <= report.maxPerplexityLoss,
    );
    // The gate's method is exact, so there is something to choose.
    expect(allowed.map(({ method }) => method)).toContain("gate");
    const least = allowed.toSorted((a, b) => a.bytesPerToken - b.bytesPerToken)[0];
    expect(report.recommendation.method).toBe(least?.method);
    expect(least?.bytesPerToken).toBeLessThan(dense?.bytesPerToken ?? 0);
  });

  it("keeps finished predictors and trains them anew only when told to", async () => {
    const before = readFileSync(sidecar);
    const again = await trainPredictors(model.path, { ...quick, sidecar });
    expect(again.trained).toEqual([]);
    expect(readFileSync(sidecar).equals(before)).toBe(true);
    const anew = await trainPredictors(model.path, { ...quick, sidecar, finished: "again" });
    expect(anew.trained.map(({ layer }) => layer)).toEqual([0, 1]);
    // The same seed and the same text: the same predictors.
    expect(opened(model.path, sidecar).predictors.map((one) => one?.threshold)).toEqual(
      report.trained.map(({ predictor }) => predictor.threshold),
    );
  });

  it("goes on with the layers that an interrupted run left", async () => {
    const other = join(folder, "interrupted.sparsity.gguf");
    const stop = new AbortController();
    const interrupted = trainPredictors(model.path, {
      ...quick,
      sidecar: other,
      signal: stop.signal,
      onLayer: () => stop.abort(),
    });
    await expect(interrupted).rejects.toThrow(/abort/i);
    const rest = await trainPredictors(model.path, { ...quick, sidecar: other });
    expect(rest.trained.map(({ layer }) => layer)).toEqual([1]);
  });

  it("refuses options that make no sense, and text that is too short", async () => {
    await expect(prepareModel(model.path, { recall: 2 })).rejects.toThrow(/recall: 2/);
    await expect(prepareModel(model.path, { epochs: 0 })).rejects.toThrow(/epochs: 0/);
    const short = join(folder, "short.txt");
    writeFileSync(short, "abc");
    const tooShort = prepareModel(model.path, {
      ...quick,
      corpora: [short],
      sidecar: `${short}.gguf`,
    });
    await expect(tooShort).rejects.toThrow(/the corpus gave .* tokens/);
  });
});

describe("preparing a SwiGLU model", () => {
  it("draws the curves of all scores and keeps within the asked loss", async () => {
    using model = await makeTinyModel();
    const sidecar = join(folder, "swiglu.sparsity.gguf");
    const report = await prepareModel(model.path, { ...quick, sidecar, maxPerplexityLoss: 0.005 });
    const thresholds = report.methods.filter(({ method }) => method === "threshold");
    expect(thresholds).toHaveLength(16 + calibratedPoints.length);
    for (const { activeShare, table } of thresholds) {
      const skipped = table?.score === "input" ? table.shares.output : table?.sparsity;
      // Calibrated on other windows of the same text: some 1000 rows of 64 neurons.
      expect(activeShare).toBeCloseTo(1 - (skipped ?? 0), 1);
    }
    const best = report.methods.find(
      ({ bytesPerToken, method }) =>
        method === report.recommendation.method &&
        bytesPerToken ===
          Math.min(...report.methods.filter(isGood).map((one) => one.bytesPerToken)),
    );
    function isGood(one: (typeof report.methods)[number]): boolean {
      return one.method === "dense" || Math.abs(one.perplexityLoss) + one.lossError <= 0.005;
    }
    expect(best).toBeDefined();
    const kept = opened(model.path, sidecar);
    expect(kept.thresholds?.tables).toHaveLength(16 + calibratedPoints.length);
    expect(kept.signMargins).toBeUndefined();
    // Copies are as large as the matrices: they stay where the table that was chosen needs them.
    const chosen = kept.thresholds?.tables[kept.thresholds.chosen];
    const areKept = kept.channels.every(({ up }) => up !== undefined);
    expect(areKept).toBe(chosen?.score === "input");
    const svg = report.plot();
    expect(svg).toMatch(/^<svg/);
    // Two panels of three scores.
    expect(svg.match(/<polyline/g)).toHaveLength(6);
    expect(svg).not.toContain("NaN");
  });
});

describe.skipIf(withoutAddon !== "")(`a SwiGLU model that may lose much${withoutAddon}`, () => {
  it("keeps the copies that reading by input needs, and runs by them without making any", async () => {
    using model = await makeTinyModel();
    const sidecar = join(folder, "copies.sparsity.gguf");
    const report = await prepareModel(model.path, { ...quick, sidecar, maxPerplexityLoss: 9 });
    expect(report.recommendation.reason).toMatch(/threshold input .* feed-forward and attention/);
    const kept = opened(model.path, sidecar);
    const names = ["q", "k", "v", "attentionOutput", "gate", "up"];
    expect(kept.channels.map((copies) => Object.keys(copies))).toEqual([names, names]);
    const { chosen = 0, tables = [] } = kept.thresholds ?? {};
    expect(tables[chosen]?.score).toBe("input");
    const run = await openModelFile(model.path, { sidecar }, "per sequence");
    run[Symbol.dispose]();
    expect(run.sparsity).toBe("threshold");
    expect(run.details.join()).not.toMatch(/at load/);
  });
});

describe("training predictors for a SwiGLU model", () => {
  it("is refused, saying what can be done instead", async () => {
    using model = await makeTinyModel();
    await expect(trainPredictors(model.path, quick)).rejects.toThrow(
      /predictors .*available: dense, threshold\. silu is never zero.*hearth prepare/,
    );
  });
});

const data = process.env["HEARTH_TEST_DATA"];
const missing = data === undefined ? "HEARTH_TEST_DATA is not set" : "";
const reason = missing || (addon.kind === "missing" ? addon.reason : "");

describe.skipIf(reason !== "")(
  `thresholds on stories260K${reason && ` (skipped: ${reason})`}`,
  () => {
    const place = join(data ?? "", "models/stories260K");
    const path = join(place, "stories260K-f32.gguf");
    const sidecarPath = join(folder, "stories.sparsity.gguf");
    const backend = reason === "" ? createCpuBackend() : undefined;
    afterAll(() => backend?.[Symbol.dispose]());
    let methods: PrepareReport["methods"] = [];
    let golden: { ids: number[]; context: number; perplexity: number };
    let windows: number[][] = [];

    beforeAll(async () => {
      golden = JSON.parse(readFileSync(join(place, "perplexity-golden.json"), "utf8"));
      windows = Array.from({ length: golden.ids.length / golden.context }, (_, index) => [
        1,
        ...golden.ids.slice(index * golden.context + 1, (index + 1) * golden.context),
      ]);
      const report = await prepareModel(path, {
        sidecar: sidecarPath,
        tokens: 10_000,
        checkTokens: 1024,
      });
      methods = report.methods;
    });

    async function open(table?: ThresholdTable): Promise<CheckedModel> {
      if (backend === undefined) throw new Error(reason);
      const model = openModel(openGguf(path));
      const sidecar = opened(path, sidecarPath);
      const known = table ? { ...sidecar, thresholds: { tables: [table], chosen: 0 } } : sidecar;
      const { methodFor, downRows, masksFor } = await resolveSparsity(
        { model, sidecar: known, options: { sparsity: table ? "threshold" : "dense" } },
        backend.transpose,
      );
      return await CheckedModel.open(model, backend, {
        contextLength: golden.context,
        methodFor,
        ...defined({ downRows, masksFor }),
      });
    }

    async function score(table?: ThresholdTable): Promise<ScoredTargets> {
      using checked = await open(table);
      return await scoreTargets(checked, { windows }, {});
    }

    function variant(name: string): ThresholdTable {
      const table = methods.find((method) => method.variant === name)?.table;
      if (table === undefined) throw new Error(`no table ${name}`);
      return table;
    }

    it("cost at most 3 % by the gate score at 20 % and 1 % by the output score at 40 %", async () => {
      const dense = await score();
      const loss = async (name: string) =>
        compareTargets(await score(variant(name)), dense).perplexityLoss;
      expect(compareTargets(dense, dense).perplexity).toBeCloseTo(golden.perplexity, 3);
      expect(await loss("gate 20 %")).toBeLessThan(0.03);
      expect(await loss("output 40 %")).toBeLessThan(0.01);
    });

    it("cost at most 1 % by inputs, for fewer bytes than by any neurons at that cost", async () => {
      const table = variant("input 15/10/30 %");
      const [dense, byInput, byOutput] = [
        await score(),
        await score(table),
        await score(variant("output 40 %")),
      ];
      expect(compareTargets(byInput, dense).perplexityLoss).toBeLessThan(0.01);
      // Of attention's matrices 240 KiB are beside the blocks in either case.
      const bytes = (one: ScoredTargets) => one.bytesPerToken - one.bytesSkipped;
      expect(byInput.bytesSkipped).toBeGreaterThan(0);
      expect(bytes(byInput)).toBeLessThan(0.95 * bytes(byOutput));
    });

    it("reads a prompt by the same masks as it decodes by, inputs at a rounding from them aside", async () => {
      using checked = await open(variant("input 20/20/40 %"));
      const decoded = await scoreTargets(checked, { windows }, {});
      const losses: number[] = [];
      for (const tokens of windows) {
        const first = Math.floor(tokens.length / 2);
        for (let at = 0; at < tokens.length - 1; at += checked.rowsOfStep) {
          const some = tokens.slice(at, Math.min(at + checked.rowsOfStep, tokens.length - 1));
          const logits = await checked.read(some, at, Math.max(0, first - at));
          for (const [index, row] of logits.entries()) {
            const target = tokens[Math.max(first, at) + index + 1] ?? 0;
            losses.push(logSumExp(row) - (row[target] ?? 0));
          }
        }
      }
      expect(losses).toHaveLength(decoded.losses.length);
      const mean = (all: ArrayLike<number>) =>
        Array.from(all).reduce((sum, loss) => sum + loss, 0) / all.length;
      // Other orders of sums put some inputs on the other side of a threshold, where they are worth least.
      expect(Math.abs(mean(losses) - mean(decoded.losses))).toBeLessThan(0.002);
    });
  },
);
