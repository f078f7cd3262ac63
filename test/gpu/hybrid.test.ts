/** The hybrid executor on this machine's GPU driver, software Vulkan unless the caller chose another, beside the CPU. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { planPlacement } from "../../src/commands/plan.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { serialiseHardwareProfile } from "../../src/placement/hardware.ts";
import { adapters, obstacle, skipped } from "../fixtures/both-devices.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), "hearth-hybrid-"));
const hardware = join(folder, "card.json");
const cacheBefore = process.env["XDG_CACHE_HOME"];
const files: TinyModel[] = [];
beforeAll(() => {
  process.env["XDG_CACHE_HOME"] = folder;
  writeFileSync(hardware, serialiseHardwareProfile(generousCard));
});
afterAll(() => {
  for (const file of files) file[Symbol.dispose]();
  rmSync(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
});

async function tinyModel(changes: readonly string[]): Promise<string> {
  const file = await makeTinyModel(["--ffn", "256", "--type", "f16", ...changes]);
  files.push(file);
  return file.path;
}

interface Answered {
  readonly tokens: readonly number[];
  readonly report: Awaited<ReturnType<Engine["report"]>>;
  readonly trace: string;
}

/**
 * Compiling is what takes a software driver its time, and rows of a step need kernels of their own: one row at a time
 * unless told. What batches do is tested with any two backends (src/devices/hybrid/hybrid.test.ts).
 */
const rows = { batchSize: 1, threads: 1 } as const;
const prompt = { temperature: 0, ignoreEos: true } as const;

async function answer(path: string, options: EngineOptions): Promise<Answered> {
  using engine = await Engine.open(path, { ...rows, ...options });
  const { tokens } = await engine.generate([5, 17, 2, 9], { ...prompt, maxTokens: 6 }).result;
  return { tokens, report: await engine.report(), trace: await engine.timeline() };
}

/** Bytes of the whole model on the card, as planned. */
async function wholeBytes(path: string, options: EngineOptions): Promise<number> {
  const { sparsity = "dense" } = options;
  const vramBudget = 2 ** 26;
  const request = { batchSize: 1, hardware, gpu: 0, sparsity, vramBudget };
  const { json } = await planPlacement(path, request);
  return numberOf(json, "gpu_bytes");
}

function numberOf(json: object, field: string): number {
  const value: unknown = Object.entries(json).find(([name]) => name === field)?.[1];
  if (typeof value !== "number") throw new TypeError(`${field} is ${String(value)}`);
  return value;
}

/** With the share of the whole model's bytes of which the planner splits a layer. */
const models: readonly (readonly [string, readonly string[], EngineOptions, number])[] = [
  ["SwiGLU, dense", [], { sparsity: "dense" }, 0.8],
  ["ReGLU, gate", ["--activation", "relu"], { sparsity: "gate" }, 0.8],
  [
    "ReGLU with predictors",
    ["--powerinfer", "--predictor-rank", "16", "--dim", "128"],
    { sparsity: "mlp" },
    0.9,
  ],
];

describe.skipIf(obstacle !== undefined)(`GPU and CPU together${skipped}`, () => {
  it.each(models)("write the CPU's greedy tokens: %s", async (_, changes, options, share) => {
    const path = await tinyModel(changes);
    const alone = await answer(path, { ...options, device: "cpu" });
    expect([alone.report.gpu, alone.report.hybrid]).toEqual([undefined, undefined]);
    const vramBudget = Math.floor(share * (await wholeBytes(path, options)));
    const hybrid = { ...options, device: "hybrid", hardware, gpu: 0, vramBudget } as const;
    const { tokens, report, trace } = await answer(path, { ...hybrid, timeline: true });
    expect(tokens).toEqual(alone.tokens);
    expect(report.hybrid?.gpuBytes).toBeLessThanOrEqual(vramBudget);
    expect(report.gpu?.bytes).toBe(report.hybrid?.gpuBytes);
    expect(report.hybrid?.synchronisationsPerToken).toBeGreaterThan(0);
    expectBothTracks(trace);
  });

  it("take any budget, from nothing to everything", async () => {
    const path = await tinyModel([]);
    const options = { sparsity: "dense", device: "hybrid", hardware, gpu: 0 } as const;
    const alone = await answer(path, { sparsity: "dense", device: "cpu" });
    const whole = await wholeBytes(path, options);
    const nothing = await answer(path, { ...options, vramBudget: 0 });
    expect(nothing.tokens).toEqual(alone.tokens);
    expect(nothing.report.hybrid?.gpuBytes).toBe(0);
    const everything = await answer(path, { ...options, vramBudget: whole });
    expect(everything.tokens).toEqual(alone.tokens);
    expect(everything.report.hybrid?.gpuActivationShare).toBe(1);
    // No cold neurons: the card never waits for the processor.
    expect(everything.report.hybrid?.synchronisationsPerToken).toBe(0);
    expect(everything.report.hybrid?.gpuBytes).toBe(whole);
  });

  it("exchange neurons when a plan is wrong, with the same answers in the same memory", async () => {
    const path = await tinyModel([
      "--dim",
      "128",
      "--activation",
      "relu",
      "--active",
      "0.3",
      "--skew",
      "1",
    ]);
    const options = { sparsity: "gate", hardware, gpu: 0 } as const;
    const vramBudget = Math.floor(0.8 * (await wholeBytes(path, options)));
    const plan = join(folder, "wrong-plan.json");
    const { json } = await planPlacement(path, { ...options, ...rows, vramBudget });
    writeFileSync(plan, JSON.stringify({ ...json, gpu_activation_share: 0.99 }));
    const asked = [[5, 17, 2, 9], { ...prompt, maxTokens: 40 }] as const;
    using alone = await Engine.open(path, { ...rows, sparsity: "gate", device: "cpu" });
    const { tokens } = await alone.generate(...asked).result;
    using engine = await Engine.open(path, {
      ...options,
      ...rows,
      device: "hybrid",
      plan,
      adapt: true,
    });
    expect((await engine.generate(...asked).result).tokens).toEqual(tokens);
    const before = (await engine.report()).hybrid!;
    const exchanged = async (): Promise<number> =>
      (await engine.report()).hybrid?.exchangedGroups ?? 0;
    await expect.poll(exchanged, { timeout: 60_000 }).toBeGreaterThan(0);
    expect((await engine.generate(...asked).result).tokens).toEqual(tokens);
    const after = (await engine.report()).hybrid!;
    expect(after.gpuActivationShare).toBeGreaterThan(before.gpuActivationShare);
    expect(after.gpuBytes).toBe(before.gpuBytes);
  });
});

function expectBothTracks(trace: string): void {
  const events: { ph: string; tid: number; name: string; dur?: number }[] =
    JSON.parse(trace).traceEvents;
  const names = (tid: number): readonly string[] =>
    events.filter((event) => event.ph === "X" && event.tid === tid).map(({ name }) => name);
  expect(names(0).some((name) => name.startsWith("hot ffn"))).toBe(true);
  expect(names(0).some((name) => name.startsWith("merge"))).toBe(true);
  expect(names(1).some((name) => name.startsWith("cold ffn"))).toBe(true);
  expect(names(2)).toContain("gpu → cpu");
}

describe.skipIf(adapters.length === 0)("the whole model on the GPU", () => {
  it("reads one token back for each it writes, and makes no object besides command buffers", async () => {
    const path = await tinyModel([]);
    const alone = await answer(path, { device: "reference", sparsity: "dense" });
    const onGpu = await answer(path, { device: "gpu", gpu: 0, sparsity: "dense" });
    expect(onGpu.tokens).toEqual(alone.tokens);
    const { bytesReadBack, buffers, bindGroups, submits } = onGpu.report.gpu!.perToken;
    expect(bytesReadBack).toBeGreaterThanOrEqual(4);
    expect(bytesReadBack).toBeLessThanOrEqual(64);
    expect([buffers, bindGroups]).toEqual([0, 0]);
    expect(submits).toBe(2);
  });

  it("is refused with the numbers when it does not fit the budget", async () => {
    const path = await tinyModel([]);
    const small = Engine.open(path, { device: "gpu", gpu: 0, vramBudget: 1000 });
    await expect(small).rejects.toThrow(
      /needs .* on the graphics card \(weights .*the budget is 1000 B/,
    );
  });

  it("is never chosen by itself on a software adapter", async () => {
    const path = await tinyModel([]);
    using engine = await Engine.open(path, { batchSize: 8 });
    const isSoftware = adapters.every(({ kind }) => kind === "software");
    expect(engine.device.startsWith("gpu")).toBe(!isSoftware);
  });
});
