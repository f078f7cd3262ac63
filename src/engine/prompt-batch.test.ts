/** Steps of prompts whose cold weights stream: as long as pays, within the budget, and as the plan says when it is opened again. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { generousCard } from "../../test/fixtures/generous-card.ts";
import { ownCache } from "../../test/fixtures/own-cache.ts";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { createReferenceBackend } from "../backends/reference/reference-backend.ts";
import type { HardwareProfile } from "../placement/hardware.ts";
import type { Plan } from "../placement/plan.ts";
import { parsePlan, serialisePlan } from "../placement/plan-json.ts";
import { openSetup } from "./model-setup.ts";
import type { EngineOptions } from "./options.ts";
import { openPlan, type PlanRequest, planModel } from "./planner.ts";
import { planWithBatch } from "./prompt-batch.ts";
import { resolveSparsity, type SparseSetup } from "./resolve-sparsity.ts";

const files: TinyModel[] = [];
const cache = ownCache();
afterAll(() => {
  for (const file of files) file[Symbol.dispose]();
  cache[Symbol.dispose]();
});

/** Multiplies so much faster than the processor that prompts stream wherever something is cold. */
const multiplying: HardwareProfile = {
  ...generousCard,
  cpu: { ...generousCard.cpu, promptFlopsPerSecond: 1e8 },
  gpu: { ...generousCard.gpu!, promptFlopsPerSecond: 1e14 },
};
const limits = { maxBinding: 2 ** 30, maxBuffer: 2 ** 30 };

async function tinySetup(options: EngineOptions = {}): Promise<SparseSetup> {
  const file = await makeTinyModel([
    ...["--layers", "12", "--dim", "256", "--ffn", "2048", "--context", "4096"],
  ]);
  files.push(file);
  return setupOf(file.path, options);
}

async function setupOf(path: string, options: EngineOptions): Promise<SparseSetup> {
  const setup = await openSetup(path, { sparsity: "dense", ...options }, "per sequence");
  return {
    ...setup,
    sparsity: await resolveSparsity(setup, createReferenceBackend().transpose),
  };
}

function plan(setup: SparseSetup, budgetBytes: number, hardware = multiplying): Promise<Plan> {
  const request: PlanRequest = {
    ...{ hardware, limits, budgetBytes },
    solver: "exact",
    furtherGibibytes: 0,
    curvePoints: 0,
  };
  return planWithBatch(setup, hardware, (own) => planModel(own, request));
}

describe("steps of prompts that stream", () => {
  it("are as long as leaves nine tenths of the speed, and their memory is in the budget", async () => {
    const setup = await tinySetup();
    const [whole, rows] = [90e6, new Set<number | undefined>()];
    for (let step = 1; step <= 4; step++) {
      const budget = Math.floor((whole * step) / 4);
      const own = await plan(setup, budget);
      const short = await plan({ ...setup, isBatchOpen: false }, budget);
      expect(own.gpuBytes).toBeLessThanOrEqual(budget);
      expect(own.predictedTokensPerSecond).toBeGreaterThanOrEqual(
        0.9 * short.predictedTokensPerSecond,
      );
      if (own.promptBatch !== undefined) expect(own.streamPromptsFrom).toBeGreaterThan(1);
      rows.add(own.promptBatch);
    }
    expect(rows.size).toBeGreaterThan(1);
  });

  it("are those of a plan that was kept in a file", async () => {
    const setup = await tinySetup();
    const made = await plan(setup, 75e6);
    expect(made.promptBatch).toBeGreaterThan(128);
    const path = join(cache.folder, "kept.json");
    writeFileSync(path, serialisePlan(made));
    const again = await setupOf(setup.model.gguf.path, { plan: path });
    expect(again.options.batchSize).toBe(made.promptBatch);
    expect(await openPlan(path, again, { limits })).toEqual(parsePlan(serialisePlan(made), path));
  });

  it("stay as they were asked for, where nothing pays, and where nothing is known", async () => {
    const asked = await plan(await tinySetup({ batchSize: 64 }), 3e6);
    const never = await plan(await tinySetup({ promptStream: "never" }), 3e6);
    const unknown = await plan(await tinySetup(), 3e6, generousCard);
    for (const { promptBatch } of [asked, never, unknown]) expect(promptBatch).toBe(undefined);
  });
});
