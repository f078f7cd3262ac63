/**
 * A plan: which neurons or experts of each layer are on which device, what that takes and what it is predicted to give.
 * The parts of a layer are a list of {device, units}, open to more devices. Format: docs/formats/plan.md.
 */
import { createHash } from "node:crypto";
import { DeviceError, StalePlanError } from "../core/errors.ts";
import { significant } from "../core/numbers.ts";
import { type Bytes, formatBytes, GiB } from "../core/units.ts";
import { type HardwareProfile, serialiseHardwareProfile } from "./hardware.ts";
import { unitsOfGroup } from "./layer-problem.ts";
import type { PlaceableModel, PlacementUnit } from "./placeable-model.ts";
import { type DeviceMemory, memoryOfSelection } from "./plan-memory.ts";
import { type Objective, type PlacementProblem, placementProblem } from "./problem.ts";
import { configurations, type Solution } from "./solution.ts";
import { type Solver, solveBudgets, solvePlacement } from "./solve-placement.ts";

/** A processor that computes: the host's, or one of its cards. */
export type DeviceId = "cpu" | `gpu${number}`;
export const cpuDevice: DeviceId = "cpu";
/** The one card that the planner fills. */
export const gpuDevice: DeviceId = "gpu0";

export interface PlanPart {
  readonly device: DeviceId;
  /** Ascending ids; the parts of a layer have each of its units once. */
  readonly units: Uint32Array;
}

export interface PlanLayer {
  /** What its parts are lists of. */
  readonly unit: PlacementUnit;
  readonly unitCount: number;
  /** Where attention, KV cache and norms are. */
  readonly attentionDevice: DeviceId;
  /**
   * The device with the attention, where it predicts for all neurons of a split layer; the others are told. Absent: each
   * device predicts for its own.
   */
  readonly predictorDevice?: DeviceId;
  /** Devices that have units, in no particular order. */
  readonly parts: readonly PlanPart[];
}

/** What a plan was made from; a plan serves only the same again. */
export interface PlanInputs {
  /** Fingerprint of the model file. */
  readonly model: string;
  /** Fingerprint of the activation profile; null when activity was assumed uniform. */
  readonly profile: string | null;
  /** Hash of the hardware profile. */
  readonly hardware: string;
  readonly budgetBytes: Bytes;
  readonly context: number;
  /** The sparsity method, with its parameters, as text. */
  readonly method: string;
  readonly objective: Objective;
  readonly solver: Solver;
}

export interface BudgetPoint {
  readonly budgetBytes: Bytes;
  readonly predictedTokensPerSecond: number;
}

export interface Plan {
  readonly version: 1;
  /** Hash of the inputs: the name in the cache. */
  readonly key: string;
  readonly inputs: PlanInputs;
  readonly hardwareName: string;
  readonly layers: readonly PlanLayer[];
  readonly outputDevice: DeviceId;
  /** From so many rows on, a prompt's cold neurons and experts stream through windows on the card, for which the plan has room. Absent: never. */
  readonly streamPromptsFrom?: number;
  /** Rows of a step at most, where the planner chose them so that what streams comes seldom. Absent: as they were asked for. */
  readonly promptBatch?: number;
  readonly memory: DeviceMemory;
  readonly gpuBytes: Bytes;
  readonly cpuBytes: Bytes;
  /** Share of the expected activations that hot neurons and experts serve, 0 to 1. */
  readonly gpuActivationShare: number;
  readonly predictedTokensPerSecond: number;
  readonly objective: number;
  readonly bound: number;
  readonly gap: number;
  readonly solveMs: number;
  /** What each further GiB would bring, until everything is on the GPU. */
  readonly further: readonly BudgetPoint[];
  /** Tokens per second over budgets from 0 to everything; empty when not asked for. */
  readonly curve: readonly BudgetPoint[];
  /** Notices for the user: assumptions, and what did not fit. */
  readonly notices: readonly string[];
}

export interface PlacementRequest {
  readonly model: PlaceableModel;
  readonly hardware: HardwareProfile;
  /** All but the hardware's hash. */
  readonly inputs: Omit<PlanInputs, "hardware">;
  /** How many further GiB to look at. */
  readonly furtherGibibytes: number;
  /** Points of the curve; 0 for none. */
  readonly curvePoints: number;
}

/** Solves the placement and says what it means. @throws OptionError for a budget or frequency out of range. */
export async function createPlan(request: PlacementRequest): Promise<Plan> {
  const { model, hardware } = request;
  const inputs: PlanInputs = { ...request.inputs, hardware: hardwareHash(hardware) };
  const problem = placementProblem({ ...inputs, model, hardware });
  const solution = await solvePlacement(problem, inputs.solver);
  const rival = await fastestRival(problem, solution);
  return planOf(request, {
    inputs,
    problem,
    solution,
    rival,
    ...(await outlook(problem, request)),
  });
}

/** As PlacementRequest, of `inputs.budgetBytes` only the largest budget. */
export interface BudgetsRequest extends Omit<PlacementRequest, "curvePoints"> {
  /** Which budgets, by the bytes with which everything is on the GPU. */
  readonly budgets: (everything: Bytes) => readonly Bytes[];
}

/**
 * A plan for each of several budgets, in their order, from one pass of the solver: little more work than for one of them.
 * A placement may be another one than `createPlan` finds, where two are equally good.
 * @throws as createPlan.
 */
export async function createPlans(request: BudgetsRequest): Promise<readonly Plan[]> {
  const { model, hardware, furtherGibibytes } = request;
  const hash = hardwareHash(hardware);
  const problem = placementProblem({ ...request.inputs, model, hardware });
  const all = everythingBytes(problem);
  const budgets = problem.hasGpu ? request.budgets(all) : [0];
  const furtherOf = (budget: Bytes): readonly Bytes[] =>
    problem.hasGpu ? furtherBudgets(budget, all, furtherGibibytes) : [];
  const asked = [...new Set(budgets.flatMap((budget) => [budget, ...furtherOf(budget)]))];
  const solutions = new Map(
    (await solveBudgets({ problem, solver: "exact", budgets: asked })).map(
      (solution) => [solution.budgetBytes, solution] as const,
    ),
  );
  const solved = (budget: Bytes): Solution => {
    const solution = solutions.get(budget);
    if (solution === undefined) throw new DeviceError("the solver left out a budget");
    return solution;
  };
  const plans: Plan[] = [];
  for (const budgetBytes of budgets) {
    const inputs: PlanInputs = { ...request.inputs, budgetBytes, hardware: hash };
    const own = { ...problem, budgetBytes };
    const solution = solved(budgetBytes);
    const rival = await fastestRival(own, solution);
    const further = furtherOf(budgetBytes).map((budget) => budgetPoint(problem, solved(budget)));
    plans.push(planOf(request, { inputs, problem: own, solution, rival, further, curve: [] }));
  }
  return plans;
}

interface Solved extends Pick<Plan, "inputs" | "further" | "curve"> {
  readonly problem: PlacementProblem;
  readonly solution: Solution;
  readonly rival: Solution | undefined;
}

function planOf(
  request: Pick<PlacementRequest, "model" | "hardware" | "inputs">,
  { inputs, problem, solution, rival, further, curve }: Solved,
): Plan {
  const { model, hardware } = request;
  const memory = memoryOfSelection(model, solution);
  return {
    version: 1,
    key: planKey(inputs),
    inputs,
    hardwareName: hardware.name,
    layers: problem.layers.map((_, index) => planLayer(problem, solution, index)),
    outputDevice: solution.outputOnGpu ? gpuDevice : cpuDevice,
    memory,
    gpuBytes: solution.gpuBytes,
    cpuBytes: Object.values(memory[cpuDevice] ?? {}).reduce((sum, bytes) => sum + bytes, 0),
    gpuActivationShare: activationShare(problem, solution),
    predictedTokensPerSecond: tokensPerSecond(problem, solution),
    objective: solution.objective,
    bound: solution.bound,
    gap: solution.gap,
    solveMs: solution.solveMs,
    further,
    curve,
    notices: noticesOf(problem, solution, { ...request, rival }),
  };
}

/** The name of a plan made from these inputs. */
export function planKey(inputs: PlanInputs): string {
  const { model, profile, hardware, budgetBytes, context, method, objective, solver } = inputs;
  const parts = [model, profile, hardware, budgetBytes, context, method, objective, solver];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

/** Names a hardware profile's content. */
export function hardwareHash(hardware: HardwareProfile): string {
  return createHash("sha256").update(serialiseHardwareProfile(hardware)).digest("hex").slice(0, 32);
}

/** @throws StalePlanError when the plan was made from something else than `current`, naming what differs. */
export function checkPlan(plan: Plan, current: PlanInputs): void {
  const names = [
    "model",
    "profile",
    "hardware",
    "budgetBytes",
    "context",
    "method",
    "objective",
    "solver",
  ] as const;
  const different = names.filter((name) => plan.inputs[name] !== current[name]);
  const [first] = different;
  if (first === undefined) return;
  throw new StalePlanError(different, String(plan.inputs[first]), String(current[first]));
}

function planLayer(problem: PlacementProblem, solution: Solution, index: number): PlanLayer {
  const layer = problem.layers[index];
  if (layer === undefined) throw new RangeError(`no layer ${index}`);
  const { unit, order } = layer;
  const hot = Math.min((solution.hotGroups[index] ?? 0) * unitsOfGroup[unit], order.length);
  const predictsOnGpu = solution.predictsOnGpu?.[index] ?? false;
  const parts = [
    { device: gpuDevice, units: risingIds(order.subarray(0, hot), order.length) },
    { device: cpuDevice, units: risingIds(order.subarray(hot), order.length) },
  ];
  return {
    unit,
    unitCount: order.length,
    attentionDevice: index < solution.firstGpuLayer ? cpuDevice : gpuDevice,
    ...(predictsOnGpu && { predictorDevice: gpuDevice }),
    parts: parts.filter(({ units }) => units.length > 0),
  };
}

/** `ids` in rising order, all below `count`: a sort of thousands of them for each layer takes longer than the solver. */
function risingIds(ids: Uint32Array, count: number): Uint32Array {
  const isIn = new Uint8Array(count);
  for (const id of ids) isIn[id] = 1;
  const rising = new Uint32Array(ids.length);
  let found = 0;
  for (let id = 0; id < count; id++) if (isIn[id] === 1) rising[found++] = id;
  return rising;
}

function activationShare(problem: PlacementProblem, solution: Solution): number {
  let hot = 0;
  let all = 0;
  for (const [index, { hotMass }] of problem.layers.entries()) {
    hot += hotMass[solution.hotGroups[index] ?? 0] ?? 0;
    all += hotMass[hotMass.length - 1] ?? 0;
  }
  return all === 0 ? 0 : hot / all;
}

/** Nine digits: two optimal placements of the same time may differ in the last bits of their sums. */
function tokensPerSecond({ rows = 1 }: PlacementProblem, solution: Solution): number {
  return Number((rows / solution.secondsPerStep).toPrecision(9));
}

/** Bytes with which everything is on the GPU. */
function everythingBytes(problem: PlacementProblem): Bytes {
  const largest = configurations({ ...problem, budgetBytes: Number.MAX_SAFE_INTEGER }).reduce(
    (most, { bytes }) => Math.max(most, bytes),
    0,
  );
  const parts = problem.layers.reduce((sum, layer) => sum + (layer.hotBytes.at(-1) ?? 0), largest);
  return Math.min(problem.everythingBytes, parts);
}

async function outlook(
  problem: PlacementProblem,
  request: PlacementRequest,
): Promise<Pick<Plan, "further" | "curve">> {
  if (!problem.hasGpu) return { further: [], curve: [] };
  const all = everythingBytes(problem);
  const further = furtherBudgets(problem.budgetBytes, all, request.furtherGibibytes);
  const last = Math.max(all, problem.budgetBytes);
  const curve = Array.from({ length: request.curvePoints }, (_, i) =>
    Math.round((i * last) / Math.max(1, request.curvePoints - 1)),
  );
  const budgets = [...further, ...curve];
  if (budgets.length === 0) return { further: [], curve: [] };
  const solutions = await solveBudgets({ problem, solver: "exact", budgets });
  const points = solutions.map((solution) => budgetPoint(problem, solution));
  return { further: points.slice(0, further.length), curve: points.slice(further.length) };
}

/** Each further GiB until everything fits, so many at most. */
function furtherBudgets(budget: Bytes, everything: Bytes, most: number): readonly Bytes[] {
  const missing = Math.ceil(Math.max(0, everything - budget) / GiB);
  return Array.from({ length: Math.min(most, missing) }, (_, i) => budget + (i + 1) * GiB);
}

function budgetPoint(problem: PlacementProblem, solution: Solution): BudgetPoint {
  return {
    budgetBytes: solution.budgetBytes,
    predictedTokensPerSecond: tokensPerSecond(problem, solution),
  };
}

/** What `latency` places within the same budget, where the objective is another. */
async function fastestRival(
  problem: PlacementProblem,
  solution: Solution,
): Promise<Solution | undefined> {
  if (problem.objective === "latency") return undefined;
  const rival = await solvePlacement({ ...problem, objective: "latency" }, "exact");
  return rival.secondsPerStep < solution.secondsPerStep ? rival : undefined;
}

function noticesOf(
  problem: PlacementProblem,
  solution: Solution,
  request: Pick<PlacementRequest, "hardware" | "inputs"> & {
    readonly rival: Solution | undefined;
  },
): readonly string[] {
  const notices: string[] = [];
  if (request.inputs.profile === null) {
    const unit = problem.layers.some((layer) => layer.unit === "expert") ? "experts" : "neurons";
    notices.push(
      `No activation profile: assumes that all ${unit} are equally active (hearth profile makes one).`,
    );
  }
  if (request.hardware.origin === "described") {
    notices.push(`The hardware is described, not measured: ${request.hardware.name}.`);
  }
  if (solution.gap > 0)
    notices.push(`The optimum is not proven: gap ${(100 * solution.gap).toFixed(2)} %.`);
  if (request.rival !== undefined) {
    notices.push(
      "The objective paper places the most activations on the GPU, not the fastest: " +
        `--objective latency is predicted ${significant(tokensPerSecond(problem, request.rival), 4)} tokens/s within this budget.`,
    );
  }
  const cpuLayers = solution.firstGpuLayer;
  if (solution.gpuBytes === 0)
    notices.push(`Everything is on the CPU: ${cpuOnlyReason(problem, solution)}.`);
  else if (cpuLayers > 0) {
    notices.push(
      `Layers 0 to ${cpuLayers - 1} are on the CPU as a whole, attention and KV cache too: ` +
        "with this budget that is the best use of the memory.",
    );
  }
  return notices;
}

function cpuOnlyReason(problem: PlacementProblem, solution: Solution): string {
  if (!problem.hasGpu)
    return "the hardware profile has no GPU (--hardware takes another, --gpu a software adapter)";
  const [, ...onGpu] = configurations({ ...problem, budgetBytes: Number.MAX_SAFE_INTEGER });
  const least = onGpu.reduce(
    (smallest, { bytes }) => Math.min(smallest, bytes),
    problem.everythingBytes,
  );
  if (problem.budgetBytes < least) {
    return `the budget of ${formatBytes(problem.budgetBytes)} is less than the ${formatBytes(least)} of the smallest GPU part`;
  }
  const alone = `the CPU alone is predicted ${significant(tokensPerSecond(problem, solution), 4)} tokens/s, and no placement that uses the GPU within this budget more`;
  return `${alone} (--objective paper uses it all the same)`;
}
