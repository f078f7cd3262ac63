/**
 * The experts of a mixture on card and processor, on this machine's driver: the CPU's tokens, bytes as planned and within the
 * budget, predictions that never fall.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { planPlacement } from "../../src/commands/plan.ts";
import { Engine } from "../../src/engine/engine.ts";
import { serialiseHardwareProfile } from "../../src/placement/hardware.ts";
import { obstacle, skipped } from "../fixtures/both-devices.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import { greedyTokens } from "../fixtures/greedy-tokens.ts";
import { ownCache } from "../fixtures/own-cache.ts";
import { makeTinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const cache = ownCache();
afterAll(() => cache[Symbol.dispose]());
const hardware = join(cache.folder, "generous-card.json");
writeFileSync(hardware, serialiseHardwareProfile(generousCard));

const ask = { temperature: 0, maxTokens: 6, ignoreEos: true } as const;
const prompt = [5, 17, 2, 9, 11, 30];
const options = { contextLength: 64, batchSize: 8, threads: 1 } as const;

function bytesOf(json: object): number {
  return "gpu_bytes" in json && typeof json.gpu_bytes === "number" ? json.gpu_bytes : 0;
}

/** Layers whose experts are on both devices. */
function splitLayers(json: object): number {
  const layers: readonly { readonly parts: readonly object[] }[] =
    "layers" in json && Array.isArray(json.layers) ? json.layers : [];
  return layers.filter(({ parts }) => parts.length > 1 && parts.every((part) => "experts" in part))
    .length;
}

describe.skipIf(obstacle !== undefined)(`experts on card and processor${skipped}`, () => {
  it("write the CPU's tokens at every budget, beside a plain block and shared experts", async () => {
    const size = ["--expert-ffn", "64", "--type", "f16", "--layers", "3"];
    using model = await makeTinyModel(["--arch", "glm4moe", ...size]);
    const { path } = model;
    const wanted = await greedyTokens(path, options, { prompt, maxTokens: ask.maxTokens });
    expect(wanted.length).toBeGreaterThan(2);
    const planned = { ...options, hardware, gpu: 0 } as const;
    const everything = await planPlacement(path, { ...planned, vramBudget: 2 ** 28 });
    const whole = bytesOf(everything.json);
    let split = 0;
    let before = 0;
    for (const share of [0.55, 0.85]) {
      const vramBudget = Math.floor(share * whole);
      const { json } = await planPlacement(path, { ...planned, vramBudget });
      split += splitLayers(json);
      using engine = await Engine.open(path, { ...planned, device: "hybrid", vramBudget });
      const { tokens } = await engine.generate(prompt, ask).result;
      expect(tokens.slice(0, wanted.length)).toEqual(wanted);
      const { gpu, hybrid } = await engine.report();
      expect(gpu?.bytes).toBeLessThanOrEqual(vramBudget);
      expect(json).toMatchObject({ gpu_bytes: gpu?.bytes, gap: 0 });
      expect(hybrid?.predictedTokensPerSecond).toBeGreaterThanOrEqual(before);
      before = hybrid?.predictedTokensPerSecond ?? 0;
    }
    expect(split).toBeGreaterThan(0);
  });

  it("write the CPU's tokens while they change places, in the same bytes", async () => {
    const size = ["--expert-ffn", "64", "--type", "f16", "--experts", "16", "--router-skew", "1"];
    using model = await makeTinyModel(["--arch", "qwen3moe", ...size]);
    const { path } = model;
    // Long enough that experts have changed places before the answer begins.
    const long = Array.from({ length: 40 }, (_, i) => (7 + 3 * i) % 300);
    const wanted = await greedyTokens(path, options, { prompt: long, maxTokens: ask.maxTokens });
    expect(wanted.length).toBeGreaterThan(2);
    const planned = { ...options, hardware, gpu: 0 } as const;
    const everything = await planPlacement(path, { ...planned, vramBudget: 2 ** 28 });
    const vramBudget = Math.floor(0.6 * bytesOf(everything.json));
    const both = { ...planned, device: "hybrid", vramBudget, adapt: true } as const;
    using engine = await Engine.open(path, both);
    const { tokens } = await engine.generate(long, ask).result;
    expect(tokens.slice(0, wanted.length)).toEqual(wanted);
    const { gpu, hybrid } = await engine.report();
    expect(hybrid?.exchangedGroups).toBeGreaterThan(0);
    const { json } = await planPlacement(path, { ...planned, vramBudget });
    expect(gpu?.bytes).toBe(bytesOf(json));
  });
});
