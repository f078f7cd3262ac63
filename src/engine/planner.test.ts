/** Plans of real model files: their bytes are those that the GPU backend will allocate, within every budget. */

import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { generousCard } from "../../test/fixtures/generous-card.ts";
import { ownCache } from "../../test/fixtures/own-cache.ts";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { createReferenceBackend } from "../backends/reference/reference-backend.ts";
import { OptionError, StalePlanError } from "../core/errors.ts";
import { describeProgram } from "../devices/hybrid/description.ts";
import { requireBlock } from "../model/weights.ts";
import { planJson } from "../placement/plan-json.ts";
import { openSetup } from "./model-setup.ts";
import type { EngineOptions } from "./options.ts";
import { openPlan, type PlanRequest, planModel } from "./planner.ts";
import { programOf } from "./program-of.ts";
import { resolveSparsity, type SparseSetup } from "./resolve-sparsity.ts";

const files: TinyModel[] = [];
const cache = ownCache();
afterAll(() => {
  for (const file of files) file[Symbol.dispose]();
  cache[Symbol.dispose]();
});

interface Planned {
  readonly setup: SparseSetup;
  readonly request: PlanRequest;
}

async function requestFor(
  changes: readonly string[],
  options: EngineOptions,
  budgetBytes: number,
): Promise<Planned> {
  const file = await makeTinyModel(["--layers", "3", "--ffn", "256", ...changes]);
  files.push(file);
  const setup = await openSetup(file.path, { batchSize: 8, ...options }, "per sequence");
  const sparsity = await resolveSparsity(setup, createReferenceBackend().transpose);
  return {
    setup: { ...setup, sparsity },
    request: {
      hardware: generousCard,
      budgetBytes,
      limits: { maxBinding: 2 ** 30, maxBuffer: 2 ** 30 },
      solver: "exact",
      furtherGibibytes: 0,
      curvePoints: 0,
    },
  };
}

const kinds: readonly (readonly [string, readonly string[], EngineOptions])[] = [
  ["dense llama, F32", [], { sparsity: "dense" }],
  ["dense llama, Q4_0", ["--type", "q4_0"], { sparsity: "dense" }],
  ["gate llama, F16", ["--type", "f16", "--activation", "relu"], { sparsity: "gate" }],
  ["opt with biases", ["--arch", "opt", "--type", "f16"], { sparsity: "dense" }],
  ["falcon", ["--arch", "falcon", "--type", "f16"], { sparsity: "dense" }],
  ["gemma4", ["--arch", "gemma4", "--layers", "4"], { sparsity: "dense" }],
  [
    "olmo2 with windows",
    ["--arch", "olmo2", "--window", "24", "--window-pattern", "2", "--context", "512"],
    { sparsity: "dense" },
  ],
  ["predictors", ["--powerinfer", "--predictor-rank", "16", "--dim", "128"], { sparsity: "mlp" }],
];

describe.each(kinds)("a plan of %s", (_, changes, options) => {
  it("stays within eight budgets, names every byte, and never predicts less for more", async () => {
    const { setup, request } = await requestFor(changes, options, 0);
    // The planner keeps room for the scratch of splits that a whole placement does not need.
    const whole = 2 * (await planModel(setup, { ...request, budgetBytes: 2 ** 30 })).gpuBytes;
    let before = 0;
    const shares: number[] = [];
    for (let step = 0; step <= 8; step++) {
      const budgetBytes = Math.floor((whole * step) / 8);
      const plan = await planModel(setup, { ...request, budgetBytes });
      expect(plan.gpuBytes).toBeLessThanOrEqual(budgetBytes);
      const items = Object.values(plan.memory["gpu0"] ?? {});
      expect(items.reduce((sum, bytes) => sum + bytes, 0)).toBe(plan.gpuBytes);
      expect(Math.min(0, ...items)).toBe(0);
      expect(plan.predictedTokensPerSecond).toBeGreaterThanOrEqual(before);
      before = plan.predictedTokensPerSecond;
      shares.push(plan.gpuActivationShare);
    }
    expect([shares[0], shares.at(-1)]).toEqual([0, 1]);
    expect(shares.some((share) => share > 0 && share < 1)).toBe(true);
  });
});

describe("planModel", () => {
  it("shares no layer whose neurons are normed together", async () => {
    const { setup, request } = await requestFor(["--arch", "bitnet-b1.58"], {}, 0);
    const whole = 2 * (await planModel(setup, { ...request, budgetBytes: 2 ** 30 })).gpuBytes;
    const hot = new Set<number>();
    for (let step = 0; step <= 8; step++) {
      const plan = await planModel(setup, { ...request, budgetBytes: (whole * step) >> 3 });
      expect(plan.layers.map(({ parts }) => parts.length)).toEqual([1, 1, 1]);
      hot.add(plan.layers.filter(({ parts }) => parts[0]?.device === "gpu0").length);
    }
    // Also budgets that hold some layers and not all.
    expect(hot.size).toBeGreaterThan(2);
  });

  it("takes a kept plan for the same inputs and makes another for others", async () => {
    const { setup, request } = await requestFor([], { sparsity: "dense" }, 300_000);
    const count = (): number => readdirSync(join(cache.folder, "hearth", "plans")).length;
    const first = await planModel(setup, request);
    const kept = count();
    expect(await planModel(setup, request)).toEqual(first);
    expect(count()).toBe(kept);
    await planModel(setup, { ...request, budgetBytes: 310_000 });
    await planModel(setup, { ...request, hardware: { ...generousCard, splitLayerSeconds: 2e-9 } });
    expect(count()).toBe(kept + 2);
  });

  it("refuses a budget larger than the card, naming both", async () => {
    const { setup, request } = await requestFor([], {}, 25 * 2 ** 30);
    await expect(planModel(setup, request)).rejects.toThrow(OptionError);
    await expect(planModel(setup, request)).rejects.toThrow("at most 24.0 GiB");
  });

  it("measures scratch as what is neither weights nor cache", async () => {
    const { setup, request } = await requestFor([], { sparsity: "dense" }, 0);
    const rows = setup.model.layers.map((layer) => {
      const { weight } = requireBlock(layer).down;
      return { ...weight, rows: weight.columns, columns: weight.rows };
    });
    const { program } = programOf(setup, { output: "choice", downRows: (layer) => rows[layer] });
    const described = describeProgram({
      program,
      unsplit: programOf(setup, { output: "choice" }).program,
      activity: () => ({ kind: "uniform", frequency: 1 }),
      limits: request.limits,
    });
    // Slots of 8 rows, logits, staging of three split layers: some kilobytes for this model, no weight of it.
    expect(described.gpuScratchBytes).toBeGreaterThan(8 * 32 * 4);
    expect(described.gpuScratchBytes).toBeLessThan(200_000);
  });
});

describe("the cache of layers with windows", () => {
  it("is counted as each device allocates it: rings, and their checkpoints", async () => {
    const args = ["--arch", "olmo2", "--window", "24", "--window-pattern", "2", "--context", "512"];
    const bytesWith = async (checkpoints: number) => {
      const options = { sparsity: "dense", sequences: 2, checkpoints } as const;
      const { setup, request } = await requestFor(args, options, 0);
      const { program } = programOf(setup, { output: "choice" });
      const { limits } = request;
      const activity = () => ({ kind: "uniform", frequency: 1 }) as const;
      const { layers } = describeProgram({ program, unsplit: program, activity, limits });
      return layers.map(({ kvCache }) => ({
        cpu: kvCache.reduce((sum, { cpu }) => sum + cpu.bytes, 0),
        gpu: kvCache.reduce((sum, { gpu }) => sum + gpu.bytes, 0),
      }));
    };
    // Keys and values of 2 heads of 8 elements in f16, for each sequence and each of its checkpoints.
    const position = 2 * 2 * 8 * 2;
    const [ring, context] = [64 * position, 512 * position];
    for (const checkpoints of [0, 3]) {
      const rings = 2 * (1 + checkpoints) * ring;
      const expected = [rings, 2 * context, rings].map((bytes) => ({ cpu: bytes, gpu: bytes }));
      expect(await bytesWith(checkpoints)).toEqual(expected);
    }
  });
});

describe("openPlan", () => {
  it("takes a plan from its file and refuses it for another context, budget or machine", async () => {
    const { setup, request } = await requestFor([], { sparsity: "dense" }, 300_000);
    const plan = await planModel(setup, request);
    const path = join(cache.folder, "kept.json");
    writeFileSync(path, JSON.stringify(planJson(plan)));
    const { limits } = request;
    expect((await openPlan(path, setup, { limits })).layers).toEqual(plan.layers);
    const shorter = { ...setup, options: { ...setup.options, contextLength: 16 } };
    const changed = [
      [shorter, { limits }],
      [setup, { limits, budgetBytes: 1 }],
      [setup, { limits, hardware: { ...generousCard, name: "another" } }],
    ] as const;
    for (const [other, machine] of changed)
      await expect(openPlan(path, other, machine)).rejects.toThrow(StalePlanError);
  });
});
