/** What other answers change in one answer on a GPU, and on GPU and CPU together: next to nothing. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import {
  answerBeside,
  expectRule,
  openForSharing,
  type WeightKind,
} from "../fixtures/shared-steps.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const bundled = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const tiny: TinyModel[] = [];
const folder = mkdtempSync(join(tmpdir(), "hearth-shared-steps-"));
const hardware = join(folder, "card.json");
const cacheBefore = process.env["XDG_CACHE_HOME"];
beforeAll(() => {
  process.env["XDG_CACHE_HOME"] = folder;
  // Prompts of a few rows go through the CPU alone, single rows through both: steps with others take another way.
  const slow = { ...generousCard.gpu, promptFlopsPerSecond: 1e3 };
  const fast = { ...generousCard.cpu, promptFlopsPerSecond: 1e15 };
  writeFileSync(hardware, JSON.stringify({ ...generousCard, cpu: fast, gpu: slow }));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
  for (const model of tiny) model[Symbol.dispose]();
});

async function tinyModel(changes: readonly string[]): Promise<string> {
  const model = await makeTinyModel(["--dim", "256", "--ffn", "512", ...changes]);
  tiny.push(model);
  return model.path;
}

type Case = readonly [string, WeightKind, () => Promise<string>, EngineOptions];

const gpu: EngineOptions = { device: "gpu", gpu: 0, sparsity: "dense" };
/** HEARTH_CONFORMANCE=most adds codes that lie apart, and the bundled model; =all takes one type of each form of product. */
const level = process.env["HEARTH_CONFORMANCE"];
const sampled: readonly string[] = [
  "f16 weights",
  "q4_0 weights",
  ...(level === "most" ? ["q6_k weights", "the bundled model"] : []),
];
const everyCase: readonly Case[] = [
  ["f32 weights", "float", () => tinyModel(["--type", "f32"]), gpu],
  ["f16 weights", "float", () => tinyModel(["--type", "f16"]), gpu],
  ["bf16 weights", "float", () => tinyModel(["--type", "bf16"]), gpu],
  ["q4_0 weights", "quantised", () => tinyModel(["--type", "q4_0"]), gpu],
  ["q8_0 weights", "quantised", () => tinyModel(["--type", "q8_0"]), gpu],
  ["q4_k weights", "quantised", () => tinyModel(["--type", "q4_k"]), gpu],
  ["q6_k weights", "quantised", () => tinyModel(["--type", "q6_k"]), gpu],
  ["the bundled model", "float", async () => bundled, { ...gpu, sparsity: "gate" }],
];
const cases = everyCase.filter(([name]) => level === "all" || sampled.includes(name));

const adapters = await listAdapters();

describe.skipIf(adapters.length === 0)("an answer on the GPU (skipped without a driver)", () => {
  it.each(cases)(
    "is the same, within the rule, beside 1, 3 and 7 others: %s",
    async (_, kind, make, options) => {
      using opened = await openForSharing(await make(), options);
      const alone = await answerBeside(0, opened);
      for (const others of [1, 3, 7])
        expectRule(kind, await answerBeside(others, opened, alone.tokens), alone);
    },
  );
});

const addon = loadAddon();
const obstacle =
  adapters.length === 0 ? "no adapter" : addon.kind === "missing" ? addon.reason : "";

describe.skipIf(obstacle !== "")(
  `an answer on GPU and CPU${obstacle && ` (skipped: ${obstacle})`}`,
  () => {
    it.each([
      ["f16", "float", 5_000_000],
      ["q4_0", "quantised", 2_850_000],
    ] as const)("is the same, within the rule: %s weights", async (type, kind, vramBudget) => {
      const path = await tinyModel(["--type", type, "--layers", "3"]);
      const options = { ...gpu, device: "hybrid", hardware, vramBudget } as const;
      using opened = await openForSharing(path, options);
      expect(opened.splitLayers).toBeGreaterThan(0);
      const alone = await answerBeside(0, opened);
      for (const others of [1, 7])
        expectRule(kind, await answerBeside(others, opened, alone.tokens), alone);
    });
  },
);
