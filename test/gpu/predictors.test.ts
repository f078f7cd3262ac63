/**
 * Who predicts in split layers, on this machine's driver: the card for both devices, or each for its own. Either way the
 * CPU's tokens, bytes as planned and within the budget.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { planPlacement } from "../../src/commands/plan.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { type HardwareProfile, serialiseHardwareProfile } from "../../src/placement/hardware.ts";
import { obstacle, skipped } from "../fixtures/both-devices.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), "hearth-predictors-"));
const cacheBefore = process.env["XDG_CACHE_HOME"];
const files: TinyModel[] = [];
beforeAll(() => {
  process.env["XDG_CACHE_HOME"] = folder;
});
afterAll(() => {
  for (const file of files) file[Symbol.dispose]();
  rmSync(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
});

function hardwareFile(name: string, change: Partial<HardwareProfile["link"]>): string {
  const path = join(folder, `${name}.json`);
  const link = { ...generousCard.link, ...change };
  writeFileSync(path, serialiseHardwareProfile({ ...generousCard, link }));
  return path;
}

/** The device that predicts: "gpu0", "own", or both over the layers that are split. */
function predicting(json: object): readonly string[] {
  const layers: { parts: readonly object[]; predictor_device?: string }[] =
    "layers" in json && Array.isArray(json.layers) ? json.layers : [];
  const split = layers.filter(({ parts }) => parts.length > 1);
  return [...new Set(split.map(({ predictor_device: device = "own" }) => device))];
}

const ask = { temperature: 0, ignoreEos: true, maxTokens: 6 } as const;
const prompt = [5, 17, 2, 9];

async function tokensOf(path: string, options: EngineOptions): Promise<readonly number[]> {
  using engine = await Engine.open(path, options);
  return (await engine.generate(prompt, ask).result).tokens;
}

describe.skipIf(obstacle !== undefined)(`the predictors of split layers${skipped}`, () => {
  // A set of bits is dear where it crosses slowly.
  const links = [
    ["gpu0", {}],
    ["own", { downloadBytesPerSecond: 2e6 }],
  ] as const;

  it.each(links)("are where the plan has them, at five budgets: %s", async (device, link) => {
    const size = ["--layers", "3", "--ffn", "512", "--dim", "128", "--type", "f16"];
    const file = await makeTinyModel(["--powerinfer", "--predictor-rank", "32", ...size]);
    files.push(file);
    const { path } = file;
    const options = { sparsity: "mlp", batchSize: 1, threads: 1 } as const;
    const wanted = await tokensOf(path, { ...options, device: "cpu" });
    const hardware = hardwareFile(device, link);
    const planned = { ...options, hardware, gpu: 0 } as const;
    const everything = await planPlacement(path, { ...planned, vramBudget: 2 ** 28 });
    const whole = Number("gpu_bytes" in everything.json && everything.json.gpu_bytes);
    const seen = new Set<string>();
    let before = 0;
    for (const share of [0.5, 0.7, 0.8, 0.9, 0.97]) {
      const vramBudget = Math.floor(share * whole);
      const { json } = await planPlacement(path, { ...planned, vramBudget });
      for (const name of predicting(json)) seen.add(name);
      using engine = await Engine.open(path, { ...planned, device: "hybrid", vramBudget });
      const { tokens } = await engine.generate(prompt, ask).result;
      expect(tokens).toEqual(wanted);
      const { gpu, hybrid } = await engine.report();
      expect(gpu?.bytes).toBeLessThanOrEqual(vramBudget);
      expect(json).toMatchObject({ gpu_bytes: gpu?.bytes, gap: 0 });
      expect(hybrid?.predictedTokensPerSecond).toBeGreaterThanOrEqual(before);
      before = hybrid?.predictedTokensPerSecond ?? 0;
    }
    expect(seen).toContain(device);
    expect([...seen].every((name) => name === device || device === "gpu0")).toBe(true);
  });
});
