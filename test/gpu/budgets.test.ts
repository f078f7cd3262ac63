/**
 * What a budget promises, from none to all of a 24 GB card, on this machine's driver: the CPU's tokens, bytes as planned
 * and never above the budget, predictions that never fall. In small; the shapes are tiny so that software Vulkan is quick.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { planPlacement } from "../../src/commands/plan.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { describedCards } from "../../src/placement/described-cards.ts";
import { type HardwareProfile, serialiseHardwareProfile } from "../../src/placement/hardware.ts";
import { obstacle, skipped } from "../fixtures/both-devices.ts";
import { greedyTokens } from "../fixtures/greedy-tokens.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const bundledModel = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "hearth-budgets-"));
/** Its link and its splits cost next to nothing: models of a few MB are worth sharing. */
const nearCard = join(folder, "near-card.json");
const cacheBefore = process.env["XDG_CACHE_HOME"];
const models: TinyModel[] = [];
beforeAll(() => {
  process.env["XDG_CACHE_HOME"] = folder;
  writeFileSync(nearCard, serialiseHardwareProfile(near(describedCards.get("rtx-4090")!)));
});
afterAll(() => {
  for (const model of models) model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
});

function near(card: HardwareProfile): HardwareProfile {
  const link = { ...card.link, uploadLatencySeconds: 1e-9, downloadLatencySeconds: 1e-9 };
  const gpu = card.gpu && { ...card.gpu, dispatchSeconds: 0 };
  return { ...card, gpu, link, splitLayerSeconds: 1e-9 };
}

async function tinyModel(changes: readonly string[]): Promise<string> {
  const model = await makeTinyModel(["--ffn", "320", "--type", "f16", ...changes]);
  models.push(model);
  return model.path;
}

const ask = { temperature: 0, maxTokens: 12, ignoreEos: true } as const;
const prompt = [5, 17, 2, 9, 11, 30];

interface Share {
  readonly gpuBytes: number;
  readonly split: number;
  readonly predicted: number;
}

/** Runs within the budget and checks everything that holds for one budget alone. */
async function checkBudget(
  path: string,
  options: EngineOptions,
  wanted: readonly number[],
): Promise<Share> {
  const { contextLength = 64, batchSize = 8, threads = 1, ...others } = options;
  const { hardware, vramBudget, sparsity } = others;
  const { json } = await planPlacement(path, {
    contextLength,
    batchSize,
    threads,
    gpu: 0,
    ...(hardware !== undefined && { hardware }),
    ...(vramBudget !== undefined && { vramBudget }),
    ...(sparsity !== undefined && { sparsity }),
  });
  using engine = await Engine.open(path, { ...options, device: "hybrid", gpu: 0 });
  const { tokens } = await engine.generate(prompt, ask).result;
  expect(tokens.slice(0, wanted.length)).toEqual(wanted);
  const { gpu, hybrid } = await engine.report();
  expect(hybrid).toBeDefined();
  const measured = gpu?.bytes ?? 0;
  expect(measured).toBeLessThanOrEqual(vramBudget!);
  expect(measured).toBe(hybrid!.gpuBytes);
  expect(json).toMatchObject({
    gpu_bytes: measured,
    gap: 0,
    predicted_tokens_per_second: hybrid!.predictedTokensPerSecond,
  });
  return {
    gpuBytes: measured,
    split: hybrid!.synchronisationsPerToken,
    predicted: hybrid!.predictedTokensPerSecond,
  };
}

/** The paper's objective puts everything on a card that has room for it. */
async function everythingBytes(path: string, options: EngineOptions): Promise<number> {
  const { contextLength = 64, batchSize = 8, threads = 1, hardware, sparsity } = options;
  const { json } = await planPlacement(path, {
    contextLength,
    batchSize,
    threads,
    gpu: 0,
    objective: "paper",
    vramBudget: 2 ** 30,
    ...(hardware !== undefined && { hardware }),
    ...(sparsity !== undefined && { sparsity }),
  });
  expect(json).toMatchObject({ gpu_activation_share: 1 });
  return "gpu_bytes" in json && typeof json.gpu_bytes === "number" ? json.gpu_bytes : 0;
}

describe.skipIf(obstacle !== undefined)(`a budget of GPU memory${skipped}`, () => {
  const cases = [
    ["the bundled model, gate, on an RTX 4090", undefined, "gate", "rtx-4090"],
    ["a ReGLU model, gate, on a near card", ["--activation", "relu"], "gate", "near"],
  ] as const;

  it.each(cases)(
    "keeps its promises from nothing to everything: %s",
    async (_, changes, sparsity, card) => {
      const path = changes === undefined ? bundledModel : await tinyModel(changes);
      const hardware = card === "near" ? nearCard : card;
      const options = { sparsity, hardware, contextLength: 64, batchSize: 8, threads: 1 } as const;
      const wanted = await greedyTokens(path, options, { prompt, maxTokens: ask.maxTokens });
      expect(wanted.length).toBeGreaterThan(0);
      const whole = await everythingBytes(path, options);
      const shares: Share[] = [];
      for (const share of [0, 0.6, 0.85, 1]) {
        const vramBudget = Math.floor(whole * share);
        shares.push(await checkBudget(path, { ...options, vramBudget }, wanted));
      }
      for (const [index, { predicted }] of shares.entries()) {
        expect(predicted).toBeGreaterThanOrEqual(shares[index - 1]?.predicted ?? 0);
      }
      expect(shares[0]!.gpuBytes).toBe(0);
      // Exactly the bytes that everything takes are enough for everything; a near card is worth sharing all the same.
      if (card === "near") expect(shares.some(({ split }) => split > 0)).toBe(true);
      else expect(shares.at(-1)).toMatchObject({ gpuBytes: whole, split: 0 });
    },
  );

  it("is the plan's own when a plan is named, and such a plan is for both devices only", async () => {
    const path = await tinyModel(["--layers", "3"]);
    const options = { contextLength: 64, batchSize: 8, threads: 1, sparsity: "dense" } as const;
    const { json } = await planPlacement(path, {
      ...options,
      gpu: 0,
      hardware: nearCard,
      vramBudget: 600_000,
    });
    const plan = join(folder, "plan.json");
    writeFileSync(plan, JSON.stringify(json));
    using engine = await Engine.open(path, { ...options, gpu: 0, plan });
    await engine.generate(prompt, ask).result;
    const { hybrid } = await engine.report();
    expect(json).toMatchObject({ budget_bytes: 600_000, gpu_bytes: hybrid?.gpuBytes });
    const onCpu = Engine.open(path, { ...options, device: "cpu", plan });
    await expect(onCpu).rejects.toThrow("device hybrid");
  });
});
