/** The hybrid executor on this machine's GPU driver, software Vulkan unless the caller chose another, beside the CPU. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAddon } from "../../src/backends/cpu/addon.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { serialiseHardwareProfile } from "../../src/placement/hardware.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

const adapters = await listAdapters().catch(() => []);
const addon = loadAddon();
const obstacle =
  adapters.length === 0 ? "no GPU driver" : addon.kind === "missing" ? addon.reason : undefined;
const skipped = obstacle === undefined ? "" : ` (skipped: ${obstacle})`;

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

/** 24 GB, so fast that every byte of the budget is worth using: a software GPU is given real work. */
const generousCard = {
  version: 1,
  name: "generous card",
  origin: "described",
  cpu: { name: "slow processor", threads: 2, readBytesPerSecond: { default: 1e9 } },
  gpu: { name: "fast card", memoryBytes: 24 * 2 ** 30, readBytesPerSecond: { default: 1e12 } },
  link: {
    uploadLatencySeconds: 1e-9,
    uploadBytesPerSecond: 1e12,
    downloadLatencySeconds: 1e-9,
    downloadBytesPerSecond: 1e12,
  },
  splitLayerSeconds: 1e-9,
} as const;

async function tinyModel(changes: readonly string[]): Promise<string> {
  const file = await makeTinyModel(["--ffn", "256", ...changes]);
  files.push(file);
  return file.path;
}

interface Answered {
  readonly tokens: readonly number[];
  readonly report: Awaited<ReturnType<Engine["report"]>>;
  readonly trace: string;
}

async function answer(path: string, options: EngineOptions): Promise<Answered> {
  using engine = await Engine.open(path, { batchSize: 8, threads: 1, ...options });
  const generation = engine.generate([5, 17, 2, 9, 11, 30], {
    temperature: 0,
    maxTokens: 8,
    ignoreEos: true,
  });
  const { tokens } = await generation.result;
  return { tokens, report: await engine.report(), trace: await engine.trace() };
}

const models: readonly (readonly [string, readonly string[], EngineOptions])[] = [
  ["SwiGLU llama, F16", ["--type", "f16"], { sparsity: "dense" }],
  ["ReGLU llama, F16, gate", ["--type", "f16", "--activation", "relu"], { sparsity: "gate" }],
  ["ReLU OPT, F16", ["--arch", "opt", "--type", "f16"], { sparsity: "gate" }],
  ["falcon, parallel attention", ["--arch", "falcon", "--type", "f16"], { sparsity: "dense" }],
  [
    "ReGLU with predictors",
    ["--powerinfer", "--predictor-rank", "16", "--dim", "128", "--type", "f16"],
    { sparsity: "mlp" },
  ],
];

describe.skipIf(obstacle !== undefined)(`GPU and CPU together${skipped}`, () => {
  it.each(models)(
    "write the CPU's greedy tokens within any budget: %s",
    async (_, changes, options) => {
      const path = await tinyModel(changes);
      const alone = await answer(path, { ...options, device: "cpu" });
      expect(alone.report).toEqual({});
      const hybrid = { ...options, device: "hybrid", hardware, gpu: 0 } as const;
      const everything = await answer(path, { ...hybrid, vramBudget: 2 ** 26 });
      expect(everything.tokens).toEqual(alone.tokens);
      expect(everything.report.hybrid?.gpuActivationShare).toBe(1);
      expect(everything.report.hybrid?.synchronisationsPerToken).toBe(0);
      const whole = everything.report.hybrid?.gpuBytes ?? 0;
      for (const share of [0, 0.6, 0.9]) {
        const vramBudget = Math.floor(whole * share);
        const { tokens, report } = await answer(path, { ...hybrid, vramBudget });
        expect(tokens).toEqual(alone.tokens);
        expect(report.hybrid?.gpuBytes).toBeLessThanOrEqual(vramBudget);
        expect(report.gpu?.bytes ?? 0).toBe(report.hybrid?.gpuBytes);
      }
    },
  );

  it("show both devices in a timeline, and allocate what was planned", async () => {
    const path = await tinyModel(["--type", "f16", "--layers", "3"]);
    const options = { device: "hybrid", hardware, gpu: 0, sparsity: "dense" } as const;
    const whole = await answer(path, { ...options, vramBudget: 2 ** 26 });
    const vramBudget = Math.floor((whole.report.gpu?.bytes ?? 0) * 0.9);
    using engine = await Engine.open(path, {
      batchSize: 8,
      ...options,
      vramBudget,
      timeline: true,
    });
    await engine.generate([5, 17, 2], { temperature: 0, maxTokens: 4, ignoreEos: true }).result;
    const { hybrid } = await engine.report();
    expect(engine.plan?.gpuBytes).toBe(hybrid?.gpuBytes);
    expect(hybrid?.synchronisationsPerToken).toBeGreaterThan(0);
    const events: { ph: string; tid: number; name: string; dur?: number }[] = JSON.parse(
      await engine.trace(),
    ).traceEvents;
    const names = (tid: number): readonly string[] =>
      events.filter((event) => event.ph === "X" && event.tid === tid).map(({ name }) => name);
    expect(names(0).some((name) => name.startsWith("hot ffn"))).toBe(true);
    expect(names(0).some((name) => name.startsWith("merge"))).toBe(true);
    expect(names(1).some((name) => name.startsWith("cold ffn"))).toBe(true);
    expect(names(2)).toContain("gpu → cpu");
  });
});

describe.skipIf(adapters.length === 0)("the whole model on the GPU", () => {
  it("reads one token back for each it writes, and makes no object besides command buffers", async () => {
    const path = await tinyModel(["--type", "f16"]);
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
