/** Conversations that left their sequences on a card, or on a card and the CPU: they come back from memory and from the disk. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { MiB } from "../../src/core/units.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import type { GenerationResult } from "../../src/runtime/generation.ts";
import { tokensOf } from "../fixtures/counted-conversation.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), "hearth-prefix-cache-"));
const hardware = join(folder, "card.json");
const cacheBefore = process.env["XDG_CACHE_HOME"];
let model: TinyModel;
beforeAll(async () => {
  process.env["XDG_CACHE_HOME"] = folder;
  writeFileSync(hardware, JSON.stringify(generousCard));
  const shape = ["--dim", "256", "--ffn", "512", "--layers", "3", "--type", "f16"];
  model = await makeTinyModel([...shape, "--context", "512"]);
});
afterAll(() => {
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const adapters = await listAdapters();
const addon = loadAddon();
const withoutCard = adapters.length === 0 ? "no adapter" : "";
const withoutBoth = withoutCard || (addon.kind === "missing" ? addon.reason : "");

/** Of one sequence, so that each conversation drives out the one before. */
const common = { gpu: 0, sparsity: "dense", sequences: 1, contextLength: 512 } as const;
/** 3 layers of 2.4 MB each, of which about half find room. */
const vramBudget = 5_000_000;
const devices: readonly (readonly [string, string, () => EngineOptions])[] = [
  ["a card", withoutCard, () => ({ ...common, device: "gpu" })],
  [
    "a card and the CPU",
    withoutBoth,
    () => ({ ...common, device: "hybrid", hardware, vramBudget }),
  ],
];

const shared = tokensOf(256, 4);
const [one, two, other] = [
  [...shared, ...tokensOf(20, 5)],
  [...shared, ...tokensOf(20, 6)],
  tokensOf(40, 7),
] as const;

async function ask(engine: Engine, prompt: readonly number[]): Promise<GenerationResult> {
  return engine.generate([...prompt], { temperature: 0, ignoreEos: true, maxTokens: 8 }).result;
}

describe.each(devices)("conversations on %s", (name, obstacle, options) => {
  it.skipIf(obstacle !== "")(
    `are read once, and come back as they were${obstacle && ` (skipped: ${obstacle})`}`,
    async () => {
      const cacheDisk = join(folder, name.replaceAll(" ", "-"));
      let first: GenerationResult;
      {
        using engine = await Engine.open(model.path, {
          ...options(),
          cacheRam: 64 * MiB,
          cacheDisk,
        });
        const { hybrid } = await engine.report();
        expect(hybrid !== undefined).toBe(name === "a card and the CPU");
        first = await ask(engine, one);
        expect(first.cachedTokens).toBe(0);
        // What both begin with is there; the conversation before is remembered as it leaves.
        expect((await ask(engine, two)).cachedTokens).toBe(shared.length);
        expect((await ask(engine, other)).cachedTokens).toBe(0);
        const again = await ask(engine, one);
        expect(again.cachedTokens).toBe(one.length - 1);
        expect(again.tokens).toEqual(first.tokens);
        await engine.remember();
        expect(engine.notices.filter((notice) => notice.includes("cacheDisk"))).toEqual([]);
      }
      using restarted = await Engine.open(model.path, { ...options(), cacheDisk });
      const later = await ask(restarted, one);
      expect(later.cachedTokens).toBe(one.length - 1);
      expect(later.tokens).toEqual(first.tokens);
    },
  );
});
