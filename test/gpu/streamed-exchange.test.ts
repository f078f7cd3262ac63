/** Prompts that stream while neurons change places, and one that is given up half way: answers and bytes stay as they were. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { planPlacement } from "../../src/commands/plan.ts";
import { Engine } from "../../src/engine/engine.ts";
import { serialiseHardwareProfile } from "../../src/placement/hardware.ts";
import { parsePlan } from "../../src/placement/plan-json.ts";
import { obstacle, skipped } from "../fixtures/both-devices.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import { ownCache } from "../fixtures/own-cache.ts";
import { makeTinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const cache = ownCache();
const file = await makeTinyModel([
  ...["--type", "f16", "--dim", "128", "--activation", "relu", "--active", "0.3", "--skew", "1"],
  ...["--context", "256", "--ffn", "512", "--layers", "3"],
]);
afterAll(() => {
  file[Symbol.dispose]();
  cache[Symbol.dispose]();
});

const hardware = join(cache.folder, "card.json");
writeFileSync(hardware, serialiseHardwareProfile(generousCard));
const rows = { sparsity: "gate", contextLength: 256, batchSize: 16, threads: 1 } as const;
const placing = { ...rows, hardware, gpu: 0, promptStream: "always" } as const;

/** In several steps each, and none the beginning of another. */
const promptOf = (first: number, length: number): readonly number[] =>
  Array.from({ length }, (_, at) => (first + 13 * at) % 300);
const [short, other, long] = [promptOf(5, 40), promptOf(6, 40), promptOf(7, 240)];
const ask = { temperature: 0, maxTokens: 40, ignoreEos: true } as const;
const tokensOf = async (engine: Engine, prompt: readonly number[]): Promise<readonly number[]> =>
  (await engine.generate(prompt, ask).result).tokens;

async function gpuBytesOf(vramBudget: number): Promise<number> {
  const { json } = await planPlacement(file.path, { ...placing, vramBudget });
  return parsePlan(JSON.stringify(json), "plan").gpuBytes;
}

/** A plan that expects far more of its hot neurons than they give. */
async function wrongPlan(): Promise<{ readonly path: string; readonly coldUnits: number }> {
  const vramBudget = Math.floor(0.85 * (await gpuBytesOf(2 ** 28)));
  const { json } = await planPlacement(file.path, { ...placing, vramBudget });
  const path = join(cache.folder, "wrong-plan.json");
  writeFileSync(path, JSON.stringify({ ...json, gpu_activation_share: 0.99 }));
  const cold = parsePlan(JSON.stringify(json), "plan")
    .layers.filter(({ attentionDevice }) => attentionDevice === "gpu0")
    .flatMap(({ parts }) => parts.filter(({ device }) => device === "cpu"));
  return { path, coldUnits: cold.reduce((sum, { units }) => sum + units.length, 0) };
}

describe.skipIf(obstacle !== undefined)(`a prompt that streams${skipped}`, () => {
  it("goes with exchanges, and with prompts that are given up half way", async () => {
    using alone = await Engine.open(file.path, { ...rows, device: "cpu" });
    const wanted = [await tokensOf(alone, short), await tokensOf(alone, other)];
    const { path: plan, coldUnits } = await wrongPlan();
    expect(coldUnits).toBeGreaterThan(0);
    using engine = await Engine.open(file.path, {
      ...placing,
      device: "hybrid",
      plan,
      adapt: true,
    });
    const streamed = async (): Promise<number> => (await engine.report()).gpu?.bytesStreamed ?? 0;
    expect(await tokensOf(engine, short)).toEqual(wanted[0]);
    const { gpu: before } = await engine.report();
    const perPrompt = before?.bytesStreamed ?? 0;
    expect(perPrompt).toBeGreaterThan(0);
    const exchanged = async (): Promise<number> =>
      (await engine.report()).hybrid?.exchangedGroups ?? 0;
    await expect.poll(exchanged, { timeout: 60_000 }).toBeGreaterThan(0);
    // What is cold now is what came to the card.
    expect(await tokensOf(engine, other)).toEqual(wanted[1]);
    expect(await streamed()).toBe(2 * perPrompt);
    const stop = new AbortController();
    const left = engine.generate(long, { ...ask, signal: stop.signal });
    await expect.poll(streamed, { interval: 1 }).toBeGreaterThan(2 * perPrompt);
    stop.abort();
    expect((await left.result).finishReason).toBe("abort");
    // Fifteen steps would have read all of it.
    expect(await streamed()).toBeLessThan(2 * perPrompt + 5 * perPrompt);
    expect(await tokensOf(engine, short)).toEqual(wanted[0]);
    expect(await tokensOf(engine, other)).toEqual(wanted[1]);
    const { gpu: after } = await engine.report();
    expect(after?.bytes).toBe(before?.bytes);
  });
});
