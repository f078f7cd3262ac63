/** Plans for another machine depend on nothing of this one; the default budget is the one that a run takes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generousCard } from "../../test/fixtures/generous-card.ts";
import { readHeaderRecords, writeHeaderFile } from "../../test/fixtures/header-file.ts";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import type { AdapterDescription } from "../backends/webgpu/adapter-description.ts";
import { GiB, MiB } from "../core/units.ts";
import { cardBudget } from "../engine/card-budget.ts";
import { coldMemoryNotices } from "../engine/cold-memory.ts";
import { parsePlan, planJson } from "../placement/plan-json.ts";
import { type PlacementOptions, type PlanningMachine, planOn } from "./plan.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-plan-"));
const cacheBefore = process.env["XDG_CACHE_HOME"];
let model: TinyModel;
beforeAll(async () => {
  model = await makeTinyModel(["--context", "4096"]);
});
afterAll(() => {
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
});

/** An adapter that binds too little at once for the cache of a long context. */
const smallAdapter: AdapterDescription = {
  index: 0,
  name: "small",
  vendor: "none",
  backend: "vulkan",
  kind: "integrated",
  maxBindingBytes: 16 << 10,
  maxBufferBytes: 32 << 10,
  features: [],
  cards: 1,
  found: { kind: "its name" },
  memory: MiB,
};

function machine(memory: number, adapter?: AdapterDescription): PlanningMachine {
  return { memory: () => memory, findAdapter: async () => adapter };
}

let caches = 0;

/** The plan's JSON with a cache of its own, but for the time that the solver took. */
async function planWith(on: PlanningMachine, options: PlacementOptions): Promise<object> {
  process.env["XDG_CACHE_HOME"] = join(folder, String(caches++));
  const { json } = await planOn(on, model.path, { sparsity: "dense", ...options });
  return { ...json, solve_ms: 0 };
}

const manyAnswers = { contextLength: 4096, sequences: 8 } as const;

describe("a plan for another machine", () => {
  it("is the same whatever memory and graphics card this one has", async () => {
    const options = { ...manyAnswers, hardware: "rtx-4090" };
    const large = await planWith(machine(1024 * GiB), options);
    const small = await planWith(machine(MiB, smallAdapter), options);
    expect(small).toEqual(large);
    const profile = join(folder, "card.json");
    writeFileSync(profile, JSON.stringify(generousCard));
    const described = { ...manyAnswers, hardware: profile };
    expect(await planWith(machine(MiB, smallAdapter), described)).toEqual(
      await planWith(machine(1024 * GiB), described),
    );
  });

  it("goes by the limits of an adapter that is named", async () => {
    const planned = planWith(machine(GiB, smallAdapter), { hardware: "rtx-4090", gpu: 0 });
    await expect(planned).rejects.toThrow("what the adapter can bind at once (16.0 KiB)");
  });
});

describe("the default budget", () => {
  it("is nine tenths of the card, for a plan as for a run", async () => {
    const plan = await planWith(machine(GiB), { hardware: "rtx-4090" });
    const memory = 24 * GiB;
    expect(plan).toMatchObject({ budget_bytes: Math.floor(0.9 * memory) });
    expect(cardBudget({ name: "card", memory }, undefined)).toBe(Math.floor(0.9 * memory));
  });

  it("is the one that was asked for, up to the whole card", () => {
    const card = { name: "card", memory: 8 * GiB };
    expect([0, 5, 8 * GiB].map((bytes) => cardBudget(card, bytes))).toEqual([0, 5, 8 * GiB]);
    expect(() => cardBudget(card, 8 * GiB + 1)).toThrow("at most 8.0 GiB (8589934592 bytes)");
    expect(() => cardBudget({ name: "card" }, undefined)).toThrow("the memory of card is unknown");
    expect(cardBudget({ name: "card" }, 7)).toBe(7);
  });
});

describe("a plan of experts", () => {
  it("of published shapes keeps to its budget, and more never makes it slower", async () => {
    const record = readHeaderRecords().get("Qwen3-30B-A3B");
    if (record === undefined) throw new Error("no such record");
    const path = join(folder, "experts.gguf");
    writeHeaderFile(path, record);
    process.env["XDG_CACHE_HOME"] = join(folder, String(caches++));
    let before = 0;
    for (const vramBudget of [8 * GiB, 24 * GiB]) {
      const options = { hardware: "rtx-4090", vramBudget, contextLength: 4096 };
      const { json, text } = await planOn(machine(GiB), path, options);
      const plan = parsePlan(JSON.stringify(json), "the plan");
      expect(planJson(plan)).toEqual(json);
      expect(plan.gpuBytes).toBeLessThanOrEqual(vramBudget);
      expect(plan.predictedTokensPerSecond).toBeGreaterThan(before);
      expect(plan.layers.map(({ unit, unitCount }) => [unit, unitCount])).toEqual(
        Array.from({ length: 48 }, () => ["expert", 128]),
      );
      expect(text).toContain("assumes that all experts are equally active");
      before = plan.predictedTokensPerSecond;
    }
  });

  it("says where it leaves more to the processor than there is memory", () => {
    const plan = { cpuBytes: 20 * GiB };
    expect(coldMemoryNotices(plan, 20 * GiB)).toEqual([]);
    expect(coldMemoryNotices(plan, 16 * GiB).join()).toContain(
      "takes 20.0 GiB, this machine has 16.0 GiB: the rest is read from disk for every token",
    );
  });
});
