/**
 * The default model on a card that is too small for it, at eight budgets and with every method: really split each time, with
 * the CPU's tokens, bytes as planned, and predictions that never fall. HEARTH_ALL_SPLITS=1 runs all 32; else the methods take turns.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { planPlacement } from "../../src/commands/plan.ts";
import { createRandom } from "../../src/core/random.ts";
import { Engine } from "../../src/engine/engine.ts";
import { sidecarModelOf } from "../../src/engine/model-sidecar.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { openModel } from "../../src/model/model.ts";
import { serialiseHardwareProfile } from "../../src/placement/hardware.ts";
import { quantCodec } from "../../src/quant/codecs.ts";
import type { LayerPredictor, MatrixToWrite } from "../../src/sparsity/sidecar/sidecar.ts";
import { updateSidecar } from "../../src/sparsity/sidecar/write.ts";
import { obstacle, skipped } from "../fixtures/both-devices.ts";
import { greedyTokens } from "../fixtures/greedy-tokens.ts";
import { smallCard } from "../fixtures/small-card.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const model = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "hearth-split-"));
const hardware = join(folder, "small-card.json");
const sidecar = join(folder, "made.sparsity.gguf");
const cacheBefore = process.env["XDG_CACHE_HOME"];
beforeAll(async () => {
  process.env["XDG_CACHE_HOME"] = folder;
  writeFileSync(hardware, serialiseHardwareProfile(smallCard));
  await writePredictors();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
});

const rank = 8;
const random = createRandom(17);

/** Predictors that know nothing: about half of the neurons are computed, the same ones on every device. */
async function writePredictors(): Promise<void> {
  const shape = sidecarModelOf(openModel(openGguf(model)));
  const { dim } = shape;
  const layers = [...shape.neurons.entries()];
  const predictors = layers.map(([layer, neurons]): [number, LayerPredictor<MatrixToWrite>] => [
    layer,
    {
      fc1: normal(rank, dim),
      fc2: normal(neurons, rank),
      threshold: 0,
      recall: 0.5,
      precision: 0.5,
    },
  ]);
  const signs = layers.map(([layer, neurons]): [number, Uint8Array] => {
    const bytes = neurons * Math.ceil(dim / 64) * 8;
    // dim is a multiple of 64: no bit is padding.
    return [layer, Uint8Array.from({ length: bytes }, () => random.integer(256))];
  });
  // A tenth of the neurons fires almost always, the rest seldom: the card has something to choose.
  const tokens = 1000;
  const counts = shape.neurons.map((neurons) =>
    Float64Array.from({ length: neurons }, (_, id) => (id % 10 === 3 ? 950 : 20)),
  );
  const half = shape.neurons.map(() => 0.5);
  await updateSidecar(sidecar, shape, {
    profile: { rule: { kind: "nonzero" }, tokens, counts, corpora: [] },
    predictors: new Map(predictors),
    signs: new Map(signs),
    sign: { margins: half.map(() => 0), recall: half },
  });
}

function normal(rows: number, columns: number): MatrixToWrite {
  const values = Float32Array.from({ length: rows * columns }, () => random.normal());
  const data = new Uint8Array(2 * values.length);
  quantCodec("F16").quantise(values, 0, data, 0, values.length);
  return { type: "F16", rows, columns, data: () => [data] };
}

const methods = ["dense", "gate", "mlp", "sign"] as const;
/** Shares of the whole model's bytes. With less, predictors and attention of single layers are worth more than neurons. */
const budgets = [0.33, 0.41, 0.49, 0.57, 0.65, 0.73, 0.81, 0.89];
const isWhole = process.env["HEARTH_ALL_SPLITS"] === "1";
const prompt = [5, 17, 2, 9, 11, 30];
const maxTokens = 8;

/** Layers that both devices have neurons of. */
function splitLayers(json: object): number {
  const layers: unknown = "layers" in json ? json.layers : [];
  if (!Array.isArray(layers)) return 0;
  return layers.filter(({ hot, cold }) => hot > 0 && cold > 0).length;
}

describe.skipIf(obstacle !== undefined)(`the default model on a small card${skipped}`, () => {
  it.each(methods)("is split at each of eight budgets: %s", async (sparsity) => {
    const shared = { sparsity, sidecar, contextLength: 64, batchSize: 1, threads: 1 } as const;
    const options: EngineOptions = { ...shared };
    const planned = { ...shared, hardware, gpu: 0 } as const;
    const { json: all } = await planPlacement(model, { ...planned, vramBudget: 2 ** 24 });
    const whole = Number("gpu_bytes" in all ? all.gpu_bytes : Number.NaN);
    const wanted = await greedyTokens(model, options, { prompt, maxTokens });
    expect(wanted.length).toBeGreaterThan(0);
    let before = 0;
    for (const [turn, budget] of budgets.entries()) {
      const vramBudget = Math.floor(whole * budget);
      const { json } = await planPlacement(model, { ...planned, vramBudget });
      expect(splitLayers(json)).toBeGreaterThan(0);
      const predicted = numberOf(json, "predicted_tokens_per_second");
      expect(predicted).toBeGreaterThanOrEqual(before);
      before = predicted;
      if (!isWhole && turn % methods.length !== methods.indexOf(sparsity)) continue;
      using engine = await Engine.open(model, {
        ...options,
        hardware,
        gpu: 0,
        device: "hybrid",
        vramBudget,
      });
      const asked = { temperature: 0, ignoreEos: true, maxTokens } as const;
      const { tokens } = await engine.generate(prompt, asked).result;
      expect(tokens.slice(0, wanted.length)).toEqual(wanted);
      const { gpu, hybrid } = await engine.report();
      expect(gpu?.bytes).toBeLessThanOrEqual(vramBudget);
      expect([gpu?.bytes, hybrid?.gpuBytes]).toEqual(Array(2).fill(numberOf(json, "gpu_bytes")));
      expect(hybrid?.synchronisationsPerToken).toBeGreaterThan(0);
    }
  });
});

function numberOf(json: object, field: string): number {
  const value: unknown = Object.entries(json).find(([name]) => name === field)?.[1];
  if (typeof value !== "number") throw new TypeError(`${field} is ${String(value)}`);
  return value;
}
