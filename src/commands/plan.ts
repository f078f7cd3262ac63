/** What `hearth plan` shows: which neurons would be where within a budget, without loading a weight. */
import { totalmem } from "node:os";
import type { Backend } from "../backends/backend.ts";
import { chooseAdapter, listAdapters } from "../backends/webgpu/adapter.ts";
import type { AdapterDescription } from "../backends/webgpu/adapter-description.ts";
import { mayHaveAdapter } from "../backends/webgpu/card-presence.ts";
import type { BindingLimits } from "../backends/webgpu/recording-buffers.ts";
import {
  checkOptions,
  choiceRule,
  countRule,
  flagRule,
  type OptionRules,
} from "../core/check-options.ts";
import { DeviceError, OptionError, UnsupportedError } from "../core/errors.ts";
import type { Bytes, Tokens } from "../core/units.ts";
import { machineProfile, openHardware } from "../devices/hardware/measure-machine.ts";
import { foldIntoProfile } from "../engine/learn.ts";
import { adapterLimits } from "../engine/open-gpu.ts";
import { engineRules } from "../engine/option-rules.ts";
import {
  type EngineOptions,
  type ResolvedEngineOptions,
  resolveEngineOptions,
} from "../engine/options.ts";
import { type PlanModelRequest, planAgain, planModel } from "../engine/planner.ts";
import { resolveSparsity, sidecarOf } from "../engine/resolve-sparsity.ts";
import { openGguf } from "../gguf/open.ts";
import { openModel } from "../model/model.ts";
import { describePlan } from "../placement/describe-plan.ts";
import type { HardwareProfile } from "../placement/hardware.ts";
import { planJson } from "../placement/plan-json.ts";
import { type Solver, solvers } from "../placement/solve-placement.ts";
import { plotPlan } from "./plots/plot-plan.ts";

export interface PlacementOptions
  extends Pick<
    EngineOptions,
    | "contextLength"
    | "sequences"
    | "batchSize"
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

/** What each further GiB would bring is said for so many of them. */
const furtherGibibytes = 8;
/** A machine without an adapter: bytes do not depend on limits, save for a few when weights are cut into pieces. */
const noLimits: BindingLimits = {
  maxBinding: Number.MAX_SAFE_INTEGER,
  maxBuffer: Number.MAX_SAFE_INTEGER,
};

/** @throws OptionError for a budget that the card cannot have or options that do not exist, FileFormatError for wrong files. */
export async function planPlacement(
  path: string,
  options: PlacementOptions = {},
): Promise<PlacementResult> {
  checkOptions(options, placementRules, "plan");
  const { solver = "exact", curvePoints = 0, refresh = false, ...engineOptions } = options;
  const model = openModel(openGguf(path));
  const resolved = resolveEngineOptions(engineOptions, model, totalmem());
  const before = sidecarOf(model, options.sidecar);
  const adapter = await adapterFor(resolved);
  const hardware = await hardwareFor(options, resolved);
  const learntTokens = refresh ? await foldIntoProfile(model, before) : 0;
  const sidecar = learntTokens > 0 ? sidecarOf(model, options.sidecar) : before;
  const sparsity = await resolveSparsity(model, planningBackend, {
    sparsity: resolved.sparsity,
    sidecar,
    copies: "map",
    ...(options.signal && { signal: options.signal }),
  });
  const request: PlanModelRequest = {
    model,
    resolved,
    sparsity,
    sidecar,
    hardware,
    objective: resolved.objective,
    solver,
    curvePoints,
    furtherGibibytes,
    maxOutputs: resolved.sequences,
    limits: adapter === undefined ? noLimits : adapterLimits(adapter),
    budgetBytes: resolved.vramBudget ?? wholeCard(hardware),
  };
  const plan = refresh ? await planAgain(request, before) : await planModel(request);
  const text = describePlan(plan);
  return { json: planJson(plan), text, learntTokens, plot: () => plotPlan(plan) };
}

const placementRules: OptionRules<PlacementOptions> = {
  contextLength: engineRules.contextLength,
  sequences: engineRules.sequences,
  batchSize: engineRules.batchSize,
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
};

/** The adapter whose limits decide how weights are cut: the one that a run here would use. */
async function adapterFor(
  resolved: ResolvedEngineOptions,
): Promise<AdapterDescription | undefined> {
  if (resolved.gpu === undefined && !mayHaveAdapter()) return undefined;
  try {
    const adapters = await listAdapters();
    return resolved.gpu === undefined ? adapters[0] : chooseAdapter(adapters, resolved.gpu);
  } catch (error) {
    if (error instanceof DeviceError && resolved.gpu === undefined) return undefined;
    throw error;
  }
}

async function hardwareFor(
  { hardware }: PlacementOptions,
  { gpu, threads }: ResolvedEngineOptions,
): Promise<HardwareProfile> {
  if (hardware !== undefined) return openHardware(hardware);
  return machineProfile({
    ...(gpu !== undefined && { gpu }),
    ...(threads !== undefined && { threads }),
  });
}

function wholeCard({ gpu, name }: HardwareProfile): Bytes {
  if (gpu !== null) return gpu.memoryBytes;
  throw new OptionError(
    "vramBudget",
    `nothing, and ${name} has no graphics card`,
    'a budget as in --vram-budget "8GiB", or --hardware with a described card',
  );
}

/** Stands in where only shapes are wanted: a transposed weight without its bytes. */
const planningBackend: Backend = {
  description: "planning",
  compile: () => Promise.reject(new UnsupportedError("running", ["planning"])),
  multiply: () => Promise.reject(new UnsupportedError("multiplying", ["planning"])),
  transpose: async ({ name, rows, columns }, type) => ({
    name: `${name} transposed`,
    type,
    rows: columns,
    columns: rows,
    bytes: { kind: "memory", data: new Uint8Array(0) },
  }),
  [Symbol.dispose]: () => {},
};
