/** Plans over budgets: each is the plan of its budget, and they reach from nothing to everything or a full card. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generousCard } from "../../test/fixtures/generous-card.ts";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { GiB } from "../core/units.ts";
import { budgetGrid, contextGrid } from "../placement/budget-grid.ts";
import { planPlacement } from "./plan.ts";
import { planBudgets } from "./plan-budgets.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-budgets-"));
const cacheBefore = process.env["XDG_CACHE_HOME"];
const card = join(folder, "card.json");
let model: TinyModel;
beforeAll(async () => {
  process.env["XDG_CACHE_HOME"] = folder;
  writeFileSync(card, JSON.stringify(generousCard));
  model = await makeTinyModel(["--ffn", "320", "--layers", "3"]);
});
afterAll(() => {
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
});

interface Json {
  readonly hardware_name: string;
  readonly card: object | null;
  readonly layers: { readonly ffn_bytes: readonly number[] };
  readonly plans: readonly {
    readonly budget_bytes: number;
    readonly predicted_tokens_per_second: number;
    readonly gpu_bytes: number;
    readonly hot: readonly number[];
    readonly notes: readonly string[];
    readonly memory: { readonly gpu0: { readonly ffn?: number } };
  }[];
}

describe("plans over budgets", () => {
  it("are the plans of their budgets, from nothing to everything", async () => {
    const options = { hardware: card, contextLength: 64 } as const;
    const { json } = await planBudgets(model.path, options);
    const { plans, layers } = json as Json;
    const isSplit = plans.map(({ hot }) => hot.some((count) => count > 0 && count < 320));
    expect(isSplit.filter(Boolean).length).toBeGreaterThan(3);
    expect(plans[0]).toMatchObject({ budget_bytes: 0, gpu_bytes: 0, hot: [0, 0, 0] });
    expect(plans.at(-1)).toMatchObject({ hot: [320, 320, 320], gpu_activation_share: 1 });
    const ffn = layers.ffn_bytes.reduce((sum, bytes) => sum + bytes, 0);
    expect(plans.at(-1)?.memory.gpu0.ffn).toBe(ffn);
    const some = plans.filter((_, place) => place % 3 === 0 || place === plans.length - 1);
    for (const { budget_bytes: vramBudget, hot, ...plan } of some) {
      const one = await planPlacement(model.path, { ...options, vramBudget });
      const { predicted_tokens_per_second, gpu_bytes, memory } = plan;
      expect(one.json).toMatchObject({ predicted_tokens_per_second, gpu_bytes, memory });
      const { layers: placed } = one.json as { readonly layers: readonly { hot: number }[] };
      expect(placed.map((layer) => layer.hot)).toEqual(hot);
    }
  });

  it("are one plan where there is no card", async () => {
    const file = join(folder, "none.json");
    writeFileSync(file, JSON.stringify({ ...generousCard, gpu: null }));
    const { json } = await planBudgets(model.path, { hardware: file });
    expect(json).toMatchObject({ card: null, plans: [{ budget_bytes: 0, first_gpu_layer: 3 }] });
  });

  it("refuse what a plan refuses", async () => {
    const refused = planBudgets(model.path, { hardware: card, vramBudget: 25 * GiB });
    await expect(refused).rejects.toThrow("at most 24.0 GiB");
    await expect(planBudgets(model.path, { solver: "exact" } as object)).rejects.toThrow("solver");
  });
});

describe("the grid of budgets", () => {
  it.each([
    [24 * GiB, 40 * GiB, [1.5 * GiB], 50],
    [24 * GiB, 3.2 * GiB, [100 * GiB], 53],
    [11 * GiB, 100 * GiB, [], 45],
    [1, 1, [], 2],
  ])("of a card of %d for a model of %d", (memory, everything, wanted, most) => {
    const grid = budgetGrid(memory, everything, { wanted });
    expect(grid[0]).toBe(0);
    expect(grid.at(-1)).toBeGreaterThanOrEqual(Math.min(memory, everything));
    expect(grid.at(-1)).toBeLessThanOrEqual(memory);
    expect(grid).toEqual([...new Set(grid)].sort((a, b) => a - b));
    expect(grid.length).toBeLessThanOrEqual(most);
    for (const bytes of wanted) expect(grid.includes(bytes)).toBe(bytes <= (grid.at(-1) ?? 0));
    const few = budgetGrid(memory, everything, { wanted, steps: 6 });
    expect(few.length).toBeLessThanOrEqual(8);
    expect(grid).toEqual(expect.arrayContaining([...few]));
    expect(few.at(-1)).toBe(grid.at(-1));
  });

  it("of contexts has those that people use", () => {
    expect(contextGrid(8192, [4096])).toEqual([1024, 2048, 4096, 8192]);
    expect(contextGrid(40_960, [5000])).toEqual([
      1024, 2048, 4096, 5000, 8192, 16384, 32768, 40960,
    ]);
    expect(contextGrid(256, [300])).toEqual([32, 64, 128, 256, 300]);
    expect(contextGrid(1, [])).toEqual([1]);
  });
});
