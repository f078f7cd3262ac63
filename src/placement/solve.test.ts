import { describe, expect, it } from "vitest";
import {
  describeModel,
  mixedDownType,
  powerLawActivity,
  shape7b,
  shape70b,
} from "../../test/fixtures/placement-models.ts";
import { createRandom, type Random } from "../core/random.ts";
import { GiB } from "../core/units.ts";
import { describedCards } from "./described-cards.ts";
import type { LayerProblem } from "./layer-problem.ts";
import { type Objective, type PlacementProblem, placementProblem } from "./problem.ts";
import {
  configurations,
  eligibleConfigurations,
  objectiveValue,
  type PlacementChoice,
  predictedSeconds,
  selectionBytes,
} from "./solution.ts";
import { solveExactly } from "./solve.ts";
import { solveWithHighs } from "./solve-highs.ts";

const card = describedCards.get("rtx-4090")!;

/** Costs are sums of at most some thousand doubles: orders of summation differ by less than this share. */
const rounding = 1e-11;

/** `convex` curves are what real layers give; others check that nothing depends on it. */
function randomLayer(random: Random, unit: number): LayerProblem {
  const groups = 1 + random.integer(6);
  const step = unit * (1 + random.integer(5));
  const ragged = random.uniform() < 0.3;
  const convex = random.uniform() < 0.6;
  const hotBytes = new Float64Array(groups + 1);
  const hotMass = new Float64Array(groups + 1);
  const ffnSeconds = new Float64Array(groups + 1);
  const cold = 1 + random.integer(20);
  ffnSeconds[0] = cold;
  for (let n = 1; n <= groups; n++) {
    hotBytes[n] = hotBytes[n - 1]! + step + (ragged ? random.integer(7) : 0);
    hotMass[n] = hotMass[n - 1]! + random.uniform();
    ffnSeconds[n] = convex ? cold * (1 - n / groups) ** 2 : random.uniform() * cold;
  }
  if (random.uniform() < 0.5) ffnSeconds[groups] = random.uniform();
  const isWhole = random.uniform() < 0.2;
  return {
    unit: "neuron",
    unitCount: groups * 64,
    order: new Uint32Array(0),
    residentBytes: 1 + random.integer(10),
    hotBytes,
    hotMass,
    ffnSeconds,
    residentSeconds: random.uniform(),
    cpuSeconds: cold + random.uniform() * 4,
    minimumHotGroups: isWhole ? groups : random.integer(groups + 1),
    isWhole,
  };
}

function randomProblem(seed: number, objective: Objective): PlacementProblem {
  const random = createRandom(seed);
  const unit = 1 + random.integer(12);
  const layers = Array.from({ length: 1 + random.integer(4) }, () => randomLayer(random, unit));
  const everything = layers.reduce(
    (sum, layer) => sum + layer.residentBytes + layer.hotBytes.at(-1)!,
    10,
  );
  return {
    objective,
    budgetBytes: random.integer(Math.ceil(everything * 1.1)),
    hasGpu: true,
    scratchBytes: random.integer(4),
    everythingBytes: Number.POSITIVE_INFINITY,
    layers,
    output: {
      gpuBytes: 1 + random.integer(5),
      gpuSeconds: random.uniform(),
      cpuSeconds: 3 * random.uniform(),
    },
    crossing: { enterSeconds: 0.1, leaveHiddenSeconds: 0.1, leaveLogitsSeconds: 0.2 },
  };
}

/** Every selection there is, by nested counting. */
function bruteForce(problem: PlacementProblem): number {
  const sign = problem.objective === "latency" ? 1 : -1;
  let best = Number.POSITIVE_INFINITY;
  const visit = (selection: PlacementChoice, layer: number): void => {
    if (layer === problem.layers.length) {
      if (selectionBytes(problem, selection) > problem.budgetBytes) return;
      best = Math.min(best, sign * objectiveValue(problem, selection));
      return;
    }
    const { hotBytes, minimumHotGroups, isWhole } = problem.layers[layer]!;
    for (let n = 0; n < (layer < selection.firstGpuLayer ? 1 : hotBytes.length); n++) {
      const hasMinimum = problem.objective === "paper" || isWhole;
      if (hasMinimum && n > 0 && n < minimumHotGroups) continue;
      visit({ ...selection, hotGroups: selection.hotGroups.with(layer, n) }, layer + 1);
    }
  };
  const all = eligibleConfigurations(problem, configurations(problem), problem.budgetBytes);
  for (const { firstGpuLayer, outputOnGpu } of all) {
    visit({ firstGpuLayer, outputOnGpu, hotGroups: problem.layers.map(() => 0) }, 0);
  }
  return sign * best;
}

/** Greedy global top-K: the groups of highest frequency per byte first, as the released solver places them. */
function greedy(problem: PlacementProblem): PlacementChoice {
  const [configuration] = eligibleConfigurations(
    { ...problem, objective: "paper" },
    configurations(problem),
    problem.budgetBytes,
  );
  const { firstGpuLayer, outputOnGpu, bytes } = configuration!;
  const hotGroups = problem.layers.map(() => 0);
  let spare = problem.budgetBytes - bytes;
  for (;;) {
    let best = { layer: -1, density: 0, size: 0 };
    for (let l = firstGpuLayer; l < problem.layers.length; l++) {
      const { hotBytes, hotMass } = problem.layers[l]!;
      const n = hotGroups[l]!;
      if (n + 1 >= hotBytes.length) continue;
      const size = hotBytes[n + 1]! - hotBytes[n]!;
      const density = (hotMass[n + 1]! - hotMass[n]!) / size;
      if (size <= spare && density > best.density) best = { layer: l, density, size };
    }
    if (best.layer < 0) break;
    hotGroups[best.layer]!++;
    spare -= best.size;
  }
  return { firstGpuLayer, outputOnGpu, hotGroups };
}

describe("the exact solver", () => {
  it.each(["latency", "paper"] as const)(
    "finds what brute force finds in 400 random small cases (%s)",
    (objective) => {
      for (let seed = 1; seed <= 400; seed++) {
        const problem = randomProblem(seed, objective);
        const [solution] = solveExactly(problem);
        const best = bruteForce(problem);
        expect(Math.abs(solution!.objective - best), `seed ${seed}`).toBeLessThanOrEqual(
          rounding * Math.abs(best),
        );
        expect(solution!.gap, `seed ${seed}`).toBe(0);
        expect(solution!.bound).toBe(solution!.objective);
        expect(selectionBytes(problem, solution!)).toBeLessThanOrEqual(problem.budgetBytes);
      }
    },
  );

  it("finds what brute force finds when no two layers share a unit of bytes", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const small = randomProblem(seed, "latency");
      // Bytes beyond any table: every layer has a prime factor of its own.
      const primes = [999_983, 999_979, 999_961, 999_959];
      const layers = small.layers.map((layer, l) => ({
        ...layer,
        hotBytes: layer.hotBytes.map((bytes) => bytes * primes[l]!),
      }));
      const problem = { ...small, layers, budgetBytes: small.budgetBytes * 1_000_000 };
      const [solution] = solveExactly(problem);
      const best = bruteForce(problem);
      expect(Math.abs(solution!.objective - best), `seed ${seed}`).toBeLessThanOrEqual(
        rounding * best,
      );
      expect(solution!.gap, `seed ${seed}`).toBe(0);
    }
  });

  it("gives each of several budgets what it gives that budget alone", () => {
    const problem = placementProblem({
      model: describeModel({
        ...shape7b,
        activity: (layer) => powerLawActivity(layer, shape7b.neurons),
      }),
      hardware: card,
      budgetBytes: 4 * GiB,
      objective: "latency",
    });
    const budgets = [0, GiB, 2 * GiB, 4 * GiB];
    const together = solveExactly(problem, budgets).map(({ objective }) => objective);
    const alone = budgets.map(
      (budgetBytes) => solveExactly({ ...problem, budgetBytes })[0]!.objective,
    );
    together.forEach((objective, i) => {
      expect(Math.abs(objective - alone[i]!)).toBeLessThanOrEqual(rounding * objective);
    });
  });
});

describe("HiGHS and the exact solver", () => {
  const medium = { ...shape7b, layers: 8, neurons: 1280 };
  it.each([
    ["paper", 80, "Q4_0"],
    ["paper", 140, "Q4_0"],
    ["paper", 220, "mixed"],
    ["latency", 120, "Q4_0"],
    ["latency", 220, "mixed"],
  ] as const)(
    "agree on the optimum of %s at %d MiB of 8 layers of 20 groups (%s)",
    async (objective, mebibytes, downType) => {
      const problem = placementProblem({
        model: describeModel({
          ...medium,
          kvDim: 1024,
          context: 256,
          downType: downType === "mixed" ? mixedDownType : () => downType,
          activity: (layer) => powerLawActivity(layer, medium.neurons),
        }),
        hardware: card,
        budgetBytes: mebibytes * 2 ** 20,
        objective,
      });
      const [exact] = solveExactly(problem);
      const highs = await solveWithHighs(problem);
      // HiGHS stops at its own feasibility tolerance of 1e-6 per row.
      expect(Math.abs(highs.objective - exact!.objective)).toBeLessThanOrEqual(
        1e-6 * exact!.objective,
      );
      expect(highs.gap).toBe(0);
    },
  );
});

describe("large models", () => {
  const shapes = [
    ["uniform activity", shape70b],
    [
      "a power law of activity",
      { ...shape70b, activity: (l: number) => powerLawActivity(l, shape70b.neurons) },
    ],
    ["two weight types", { ...shape70b, type: "Q4_K", downType: mixedDownType }],
  ] as const;

  it.each(shapes)(
    "greedy top-K is never better than the solver: 80 layers of 448 groups, %s",
    (_, shape) => {
      const model = describeModel(shape);
      const request = { model, hardware: card, budgetBytes: 16 * GiB };
      const paper = placementProblem({ ...request, objective: "paper" });
      const latency: PlacementProblem = { ...paper, objective: "latency" };
      const [maxActive] = solveExactly(paper);
      const [fastest] = solveExactly(latency);
      const topK = greedy(paper);
      const seconds = predictedSeconds(latency, topK);
      expect(selectionBytes(paper, topK)).toBeLessThanOrEqual(paper.budgetBytes);
      expect(fastest!.objective).toBeLessThanOrEqual(seconds * (1 + rounding));
      const allowed = topK.hotGroups.every(
        (n, l) => n === 0 || n >= paper.layers[l]!.minimumHotGroups,
      );
      if (allowed)
        expect(maxActive!.objective).toBeGreaterThanOrEqual(
          objectiveValue(paper, topK) * (1 - rounding),
        );
      expect([maxActive!.gap, fastest!.gap]).toEqual([0, 0]);
    },
  );

  it.each(["relu", "dense"])("predicted tokens/s never fall over 16 budgets (%s)", (kind) => {
    const shape = kind === "dense" ? ({ ...shape7b, read: "always" } as const) : shape7b;
    for (const downType of [shape7b.downType, mixedDownType]) {
      const model = describeModel({
        ...shape,
        type: "Q4_K",
        downType,
        activity: (layer) => powerLawActivity(layer, shape.neurons),
      });
      const budgets = Array.from({ length: 16 }, (_, i) => Math.floor((i * 6 * GiB) / 15));
      const problem = placementProblem({
        model,
        hardware: card,
        budgetBytes: 6 * GiB,
        objective: "latency",
      });
      const solutions = solveExactly(problem, budgets);
      solutions.forEach((solution, i) => {
        expect(solution.gap).toBe(0);
        expect(solution.gpuBytes).toBeLessThanOrEqual(budgets[i]!);
        const before = solutions[i - 1]?.secondsPerStep ?? Number.POSITIVE_INFINITY;
        expect(solution.secondsPerStep).toBeLessThanOrEqual(before * (1 + rounding));
      });
      expect(solutions[0]!.hotGroups.every((n) => n === 0)).toBe(true);
      expect(solutions[0]!.gpuBytes).toBe(0);
      const last = solutions.at(-1)!;
      expect(last.firstGpuLayer).toBe(0);
      expect(last.outputOnGpu).toBe(true);
      expect(last.hotGroups.every((n) => n === 172)).toBe(true);
    }
  });
});
