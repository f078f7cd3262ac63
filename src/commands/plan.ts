/** What `hearth plan` shows: which neurons would be where within a budget, without loading a weight. */

import { findAdapter } from "../backends/webgpu/adapter.ts";
import { type AdapterDescription, bindingLimits } from "../backends/webgpu/adapter-description.ts";
import type { BindingLimits } from "../backends/webgpu/recording-buffers.ts";
import {
  checkOptions,
  choiceRule,
  countRule,
  flagRule,
  type OptionRules,
  pathRule,
} from "../core/check-options.ts";
import { defined } from "../core/defined.ts";
import { OptionError } from "../core/errors.ts";
import type { Bytes, Tokens } from "../core/units.ts";
import { type Transpose, transposedShape } from "../derived-weights/transpose.ts";
import { machineProfile, openHardware } from "../devices/hardware/measure-machine.ts";
import { cardBudget } from "../engine/card-budget.ts";
import { coldMemoryNotices } from "../engine/cold-memory.ts";
import { foldIntoProfile } from "../engine/learn.ts";
import { type ModelSetup, openSetup, withSidecar } from "../engine/model-setup.ts";
import { sidecarOf } from "../engine/model-sidecar.ts";
import { engineRules } from "../engine/option-rules.ts";
import type { EngineOptions } from "../engine/options.ts";
import { type PlanRequest, planAgain, planModel } from "../engine/planner.ts";
import { planWithBatch } from "../engine/prompt-batch.ts";
import { requireCacheMemory } from "../engine/resolve-options.ts";
import { resolveSparsity, type SparseSetup } from "../engine/resolve-sparsity.ts";
import { memoryOfProcess } from "../io/cgroup.ts";
import { describePlan } from "../placement/describe-plan.ts";
import type { HardwareProfile } from "../placement/hardware.ts";
import type { Plan } from "../placement/plan.ts";
import { planJson } from "../placement/plan-json.ts";
import { type Solver, solvers } from "../placement/solve-placement.ts";
import { describeHits, expertHits } from "./plan-stats.ts";
import { plotPlan } from "./plots/plot-plan.ts";

export interface PlacementOptions
  extends Pick<
    EngineOptions,
    | "contextLength"
    | "sequences"
    | "checkpoints"
    | "batchSize"
    | "promptStream"
    | "cacheType"
    | "sparsity"
    | "sidecar"
    | "threads"
    | "gpu"
    | "hardware"
    | "objective"
    | "vramBudget"
    | "signal"
  > {
  /** "exact" (default), or "highs": the paper's integer program. */
  readonly solver?: Solver;
  /** Points of the plotted curve of tokens/s over budgets. Default 0. */
  readonly curvePoints?: number;
  /** Fold what was learnt from answers into the profile, and replace the plan that was kept. Default false. */
  readonly refresh?: boolean;
  /** Of a mixture: a text, read on the processor, and how often the experts of its tokens would be on the card. */
  readonly stats?: string;
}

export interface PlacementResult {
  /** With the fields that docs/formats/plan.md lists. */
  readonly json: object;
  /** A summary and tables for the terminal. */
  readonly text: string;
  /** Tokens of answers that `refresh` folded into the profile. */
  readonly learntTokens: Tokens;
  /** SVG. */
  plot(): string;
}

/** For how many further GiB the report says what each would bring. */
export const furtherGibibytes = 8;
/** Of no adapter of this machine: bytes do not depend on limits, save for a few when weights are cut into pieces. */
const noLimits: BindingLimits = {
  maxBinding: Number.MAX_SAFE_INTEGER,
  maxBuffer: Number.MAX_SAFE_INTEGER,
};

/** What a plan asks of the machine that it is made on. */
export interface PlanningMachine {
  memory(): Bytes;
  findAdapter(named: number | string | undefined): Promise<AdapterDescription | undefined>;
}

/** @throws OptionError for a budget that the card cannot have or options that do not exist, FileFormatError for wrong files. */
export async function planPlacement(
  path: string,
  options: PlacementOptions = {},
): Promise<PlacementResult> {
  return planOn(thisMachine, path, options);
}

export const thisMachine: PlanningMachine = {
  memory: memoryOfProcess,
  findAdapter: (named) => findAdapter(named, "any"),
};

/** As planPlacement. With `hardware` the plan is for another machine: nothing is asked of this one, unless `gpu` names an adapter. */
export async function planOn(
  machine: PlanningMachine,
  path: string,
  options: PlacementOptions,
): Promise<PlacementResult> {
  checkOptions(options, placementRules, "plan");
  const { solver = "exact", curvePoints = 0, refresh = false, stats, ...engineOptions } = options;
  const task = await openPlanning(machine, path, engineOptions);
  const { hardware, limits } = task;
  const budgetBytes = budgetOn(hardware, task.setup.options.vramBudget);
  task.requireCache(budgetBytes);
  const before = task.setup.sidecar;
  const learntTokens = refresh ? await foldIntoProfile(task.setup.model, before) : 0;
  const ready = await readyToPlan(task.setup, learntTokens > 0);
  const request: PlanRequest = {
    hardware,
    limits,
    budgetBytes,
    solver,
    curvePoints,
    furtherGibibytes,
  };
  const made = await planWithBatch(ready, hardware, (own) =>
    refresh ? planAgain(own, request, before) : planModel(own, request),
  );
  const plan = { ...made, notices: [...made.notices, ...task.noticesOf(made)] };
  const hits = stats === undefined ? undefined : await expertHits(ready, plan, stats);
  const text = describePlan(plan);
  return {
    json: { ...planJson(plan), ...(hits && { stats: hits }) },
    text: hits === undefined ? text : `${text}\n${describeHits(hits)}`,
    learntTokens,
    plot: () => plotPlan(plan),
  };
}

/** A model that is to be planned, and the machine that it is planned for. */
export interface PlanningTask {
  readonly setup: ModelSetup;
  readonly hardware: HardwareProfile;
  readonly limits: BindingLimits;
  /** With so much of the card's memory. @throws LimitError where the KV cache does not fit into this machine */
  requireCache(card: Bytes): void;
  /** What is to be said of a plan beside its own notices. */
  noticesOf(plan: Plan): readonly string[];
}

/** `options` keep their rules. @throws as planPlacement */
export async function openPlanning(
  machine: PlanningMachine,
  path: string,
  options: EngineOptions,
): Promise<PlanningTask> {
  const setup = withSidecar(await openSetup(path, options, "per sequence"));
  const { gpu } = setup.options;
  const hardware = await hardwareFor(setup.options);
  const isElsewhere = setup.options.hardware !== undefined;
  // The adapter that a run here would use: its limits decide how weights are cut.
  const isAsked = gpu !== undefined || !isElsewhere;
  const adapter = isAsked ? await machine.findAdapter(gpu) : undefined;
  return {
    setup,
    hardware,
    limits: adapter === undefined ? noLimits : bindingLimits(adapter),
    requireCache(card) {
      if (isElsewhere) return;
      requireCacheMemory(setup.model, setup.options, { system: machine.memory(), card });
    },
    noticesOf: (plan) => (isElsewhere ? [] : coldMemoryNotices(plan, machine.memory())),
  };
}

/** `isLearnt`: the sidecar has changed since it was opened. */
export async function readyToPlan(setup: ModelSetup, isLearnt: boolean): Promise<SparseSetup> {
  const sidecar = isLearnt ? sidecarOf(setup.model, setup.options.sidecar) : setup.sidecar;
  const sparsity = await resolveSparsity({ ...setup, sidecar }, shapeOnly, "map");
  return { ...setup, sidecar, sparsity };
}

export const placementRules: OptionRules<PlacementOptions> = {
  contextLength: engineRules.contextLength,
  sequences: engineRules.sequences,
  checkpoints: engineRules.checkpoints,
  batchSize: engineRules.batchSize,
  promptStream: engineRules.promptStream,
  cacheType: engineRules.cacheType,
  sparsity: engineRules.sparsity,
  sidecar: engineRules.sidecar,
  threads: engineRules.threads,
  gpu: engineRules.gpu,
  hardware: engineRules.hardware,
  objective: engineRules.objective,
  vramBudget: engineRules.vramBudget,
  signal: engineRules.signal,
  solver: choiceRule(solvers),
  curvePoints: countRule(0),
  refresh: flagRule,
  stats: pathRule,
};

async function hardwareFor({ hardware, gpu, threads }: EngineOptions): Promise<HardwareProfile> {
  return hardware === undefined
    ? machineProfile(defined({ gpu, threads }))
    : openHardware(hardware);
}

function budgetOn({ gpu, name }: HardwareProfile, vramBudget: Bytes | undefined): Bytes {
  if (gpu !== null) return cardBudget({ name: gpu.name, memory: gpu.memoryBytes }, vramBudget);
  if (vramBudget !== undefined) return vramBudget;
  throw new OptionError(
    "vramBudget",
    `nothing, and ${name} has no graphics card`,
    'a budget as in --vram-budget "8GiB", or --hardware with a described card',
  );
}

/** No weight is loaded for a plan: its bytes follow from the shapes. */
const shapeOnly: Transpose = async (weight, type) => transposedShape(weight, type);
