import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeModel, powerLawActivity, shape7b } from "../../test/fixtures/placement-models.ts";
import { plotPlan } from "../commands/plots/plot-plan.ts";
import { FileFormatError, StalePlanError } from "../core/errors.ts";
import { GiB } from "../core/units.ts";
import { cacheIn } from "../io/cache.ts";
import { describePlan } from "./describe-plan.ts";
import { describedCards } from "./described-cards.ts";
import { checkPlan, createPlan, type PlacementRequest, type Plan } from "./plan.ts";
import { keepPlan, readCachedPlan } from "./plan-cache.ts";
import { parsePlan, planJson, serialisePlan } from "./plan-json.ts";

const card = describedCards.get("rtx-2080ti")!;
const shape = {
  ...shape7b,
  layers: 6,
  activity: (layer: number) => powerLawActivity(layer, shape7b.neurons),
};

function request(budgetBytes: number, changes: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    model: describeModel(shape),
    hardware: card,
    inputs: {
      model: "sha256:model",
      profile: "sha256:profile",
      budgetBytes,
      context: 2048,
      method: "mlp",
      objective: "latency",
      solver: "exact",
    },
    furtherGibibytes: 4,
    curvePoints: 17,
    ...changes,
  };
}

const half = GiB / 2;

describe("createPlan", () => {
  it.each([0, 1, 20e6, 200e6, half, 0.7 * GiB, 2 * GiB])(
    "keeps the true bytes of every item within %d",
    async (budget) => {
      const plan = await createPlan(request(Math.floor(budget)));
      const gpuItems = Object.values(plan.memory["gpu0"]!).reduce((sum, bytes) => sum + bytes, 0);
      expect(plan.gpuBytes).toBe(gpuItems);
      expect(plan.gpuBytes).toBeLessThanOrEqual(budget);
      expect(plan.cpuBytes).toBe(
        Object.values(plan.memory["cpu"]!).reduce((sum, bytes) => sum + bytes, 0),
      );
      for (const layer of plan.layers) {
        const ids = layer.parts.flatMap(({ units }) => [...units]).sort((a, b) => a - b);
        expect(ids).toEqual(Array.from({ length: layer.unitCount }, (_, id) => id));
      }
      expect([plan.gap, plan.bound]).toEqual([0, plan.objective]);
    },
  );

  it("gives a plan for the CPU alone at budget 0, and says so", async () => {
    const plan = await createPlan(request(0));
    expect(plan.gpuBytes).toBe(0);
    expect(plan.gpuActivationShare).toBe(0);
    expect(plan.notices.join("\n")).toMatch(
      /Everything is on the CPU: the budget of 0 B is less than/,
    );
  });

  it("puts everything on the GPU, without a split, when all fits", async () => {
    const plan = await createPlan(request(2 * GiB));
    expect(
      plan.layers.every(({ parts }) => parts.length === 1 && parts[0]!.device === "gpu0"),
    ).toBe(true);
    expect([plan.gpuActivationShare, plan.outputDevice, plan.further.length]).toEqual([
      1,
      "gpu0",
      0,
    ]);
  });

  it("places nothing on a machine without a GPU, whatever the budget", async () => {
    const plan = await createPlan(request(GiB, { hardware: { ...card, gpu: null } }));
    expect([plan.gpuBytes, plan.further.length]).toEqual([0, 0]);
    expect(plan.notices.join("\n")).toContain("no GPU");
  });

  it("says that it assumes uniform activity when there is no profile", async () => {
    const plan = await createPlan(
      request(half, { inputs: { ...request(half).inputs, profile: null } }),
    );
    expect(plan.notices.join("\n")).toContain("No activation profile");
  });

  it("never predicts fewer tokens/s along its curve", async () => {
    const { curve } = await createPlan(request(half));
    expect(curve).toHaveLength(17);
    curve.slice(1).forEach((point, i) => {
      expect(point.predictedTokensPerSecond).toBeGreaterThanOrEqual(
        curve[i]!.predictedTokensPerSecond,
      );
    });
  });

  it("agrees with HiGHS on the paper's objective", async () => {
    const small = describeModel({
      ...shape,
      layers: 3,
      neurons: 1280,
      activity: (l) => powerLawActivity(l, 1280),
    });
    const base = request(150e6, { model: small, furtherGibibytes: 0, curvePoints: 0 });
    const exact = await createPlan({ ...base, inputs: { ...base.inputs, objective: "paper" } });
    const highs = await createPlan({
      ...base,
      inputs: { ...base.inputs, objective: "paper", solver: "highs" },
    });
    // HiGHS stops at its own feasibility tolerance of 1e-6 per row.
    expect(Math.abs(highs.objective - exact.objective)).toBeLessThanOrEqual(1e-6 * exact.objective);
    expect(highs.key).not.toBe(exact.key);
  });
});

describe("a plan", () => {
  let plan: Plan;
  let folder: string;
  beforeAll(async () => {
    plan = await createPlan(request(half));
    folder = await mkdtemp(join(tmpdir(), "hearth-plan-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("survives being written and read", () => {
    expect(parsePlan(serialisePlan(plan), "a.plan.json")).toEqual(plan);
  });

  it("has the promised fields in its JSON", () => {
    expect(planJson(plan)).toMatchObject({
      budget_bytes: half,
      gpu_bytes: plan.gpuBytes,
      cpu_bytes: plan.cpuBytes,
      gpu_activation_share: plan.gpuActivationShare,
      predicted_tokens_per_second: plan.predictedTokensPerSecond,
      objective: plan.objective,
      bound: plan.bound,
      gap: 0,
      solve_ms: plan.solveMs,
      layers: plan.layers.map(({ parts, unitCount }) => {
        const hot = parts.find(({ device }) => device === "gpu0")?.units.length ?? 0;
        return { hot, cold: unitCount - hot };
      }),
    });
  });

  it.each([
    [/"version":1/, '"version":9', "version: found 9"],
    [/"gpu_bytes":\d+/, '"gpu_bytes":-1', "gpu_bytes: found -1"],
    [/"context":2048/, '"context":4096', "key: found"],
    [/"kind":"bitmap"/, '"kind":"list"', "one of range, bitmap"],
    [/"cold":\d+/, '"cold":3', "layers[0]"],
    [/"gap"/, '"gape"', "gape: found"],
  ])("edited at %s is refused by field", (pattern, replacement, message) => {
    const text = serialisePlan(plan).replace(pattern, replacement);
    expect(text).not.toBe(serialisePlan(plan));
    expect(() => parsePlan(text, "a.plan.json")).toThrow(FileFormatError);
    expect(() => parsePlan(text, "a.plan.json")).toThrow(message);
  });

  it("with a neuron in two parts is refused", () => {
    const layers = plan.layers.map((layer, index) =>
      index === 5 ? { ...layer, parts: [...layer.parts, layer.parts[0]!] } : layer,
    );
    expect(() => parsePlan(serialisePlan({ ...plan, layers }), "a.plan.json")).toThrow(
      "exactly one part",
    );
  });

  it("is stale when model, profile, hardware, budget, context or method change, and names what did", () => {
    expect(() => checkPlan(plan, plan.inputs)).not.toThrow();
    for (const [name, value] of Object.entries({
      model: "x",
      profile: null,
      hardware: "y",
      budgetBytes: 1,
      context: 1,
      method: "gate",
    })) {
      const check = () => checkPlan(plan, { ...plan.inputs, [name]: value });
      expect(check).toThrow(StalePlanError);
      expect(check).toThrow(name);
    }
  });

  it("is found in the cache by its inputs only, and a damaged file is as none", async () => {
    expect(readCachedPlan(cacheIn(folder), plan.inputs)).toBeUndefined();
    expect(await keepPlan(cacheIn(folder), plan)).toEqual(plan);
    const [file = "", ...others] = await readdir(folder);
    expect(others).toEqual([]);
    expect(readCachedPlan(cacheIn(folder), plan.inputs)).toEqual(plan);
    expect(readCachedPlan(cacheIn(folder), { ...plan.inputs, context: 1 })).toBeUndefined();
    await writeFile(join(folder, file), "{");
    expect(readCachedPlan(cacheIn(folder), plan.inputs)).toBeUndefined();
  });

  it("that cannot be kept says so in its notices, and is as good", async () => {
    const kept = await keepPlan(cacheIn(join(folder, "none")), plan);
    expect(kept.notices.at(-1)).toContain("nothing is kept for the next time");
    expect({ ...kept, notices: plan.notices }).toEqual(plan);
  });

  it("is not found in the cache by another version of the planner", async () => {
    const older = 1;
    await keepPlan(cacheIn(folder), plan, older);
    expect(readCachedPlan(cacheIn(folder), plan.inputs, older)).toEqual(plan);
    expect(readCachedPlan(cacheIn(folder), plan.inputs)).toBeUndefined();
  });

  it("describes itself with memory, layers, outlook and notes", () => {
    const text = describePlan(plan);
    expect(text).toContain("tokens/s");
    expect(text).toContain("What each further GiB would bring:");
    expect(text).toContain("Note: The hardware is described, not measured");
    expect(text).toMatch(/gpu0 .*attention .*kv_cache .*ffn /);
  });

  it("plots a bar for each layer, its curve and both axes' names", () => {
    const svg = plotPlan(plan);
    expect(svg.match(/<rect/g)!.length).toBe(1 + 3 + 2 * plan.layers.length);
    for (const label of [
      ">layer<",
      ">neurons<",
      ">predicted tokens/s<",
      ">GPU memory budget (GiB)<",
    ]) {
      expect(svg).toContain(label);
    }
    expect(svg).not.toContain("NaN");
  });
});
