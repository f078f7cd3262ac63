/**
 * From a model, a budget and a machine to a placement. The planner is given true bytes, and its plan's bytes are those
 * that the GPU backend will allocate, because they are asked of it. Plans are kept in the user's cache.
 */
import { createHash } from "node:crypto";
import type { BindingLimits } from "../backends/webgpu/recording-buffers.ts";
import { LimitError, StalePlanError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";
import { columnsOf } from "../derived-weights/down-rows.ts";
import { transposedShape } from "../derived-weights/transpose.ts";
import { downRowType } from "../derived-weights/transpose-down.ts";
import { describeProgram, placedBytes } from "../devices/hybrid/description.ts";
import type { PlacedOp } from "../devices/hybrid/placed-op.ts";
import type { Placement } from "../devices/hybrid/placement.ts";
import { openCache } from "../io/cache.ts";
import type { Model } from "../model/model.ts";
import { routeCount } from "../ops/expert-stack.ts";
import type { OpOf, Weight } from "../ops/op.ts";
import type { Program } from "../ops/program.ts";
import type { HardwareProfile } from "../placement/hardware.ts";
import type { Activity, PlaceableModel } from "../placement/placeable-model.ts";
import {
  checkPlan,
  createPlan,
  createPlans,
  gpuDevice,
  hardwareHash,
  type Plan,
  type PlanInputs,
} from "../placement/plan.ts";
import { forgetCachedPlan, keepPlan, readCachedPlan } from "../placement/plan-cache.ts";
import type { Solver } from "../placement/solve-placement.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";
import { assumedActivity } from "./assumed-activity.ts";
import { readPlan } from "./plan-file.ts";
import { programOf } from "./program-of.ts";
import { mayStream, streamsFrom } from "./prompt-rule.ts";
import type { SparseSetup } from "./resolve-sparsity.ts";

/** Beside the model and its options: the machine that a plan is for, and what the plan is to say. */
export interface PlanRequest {
  readonly hardware: HardwareProfile;
  readonly limits: BindingLimits;
  readonly budgetBytes: Bytes;
  readonly solver: Solver;
  /** Further GiB to look at, and points of the curve; 0 for none. */
  readonly furtherGibibytes: number;
  readonly curvePoints: number;
}

/** Each try leaves out what the last one took too much; the first one fits unless many blocks differ in size. */
const maxTries = 8;

/** @throws OptionError for a budget that the card cannot have; UnsupportedError for what the GPU lacks. */
export async function planModel(setup: SparseSetup, request: PlanRequest): Promise<Plan> {
  const inputs = planInputs(setup, request, hardwareHash(request.hardware));
  const cache = openCache("plans");
  const cached = readCachedPlan(cache, inputs);
  const isKept = cached !== undefined && isReusable(cached, request);
  // Another version of hearth may have made it, whose buffers were others.
  if (isKept && exactBytes(setup, cached, request.limits) === cached.gpuBytes) return cached;
  const plan = await solveWithin(setup, request, inputs);
  return keepPlan(cache, plan);
}

/** A new plan in place of the one that was kept for `before`, the sidecar as it was. @throws as planModel. */
export async function planAgain(
  setup: SparseSetup,
  request: PlanRequest,
  before: Sidecar | undefined,
): Promise<Plan> {
  const hash = hardwareHash(request.hardware);
  const cache = openCache("plans");
  const plan = await solveWithin(setup, request, planInputs(setup, request, hash));
  forgetCachedPlan(cache, planInputs({ ...setup, sidecar: before }, request, hash));
  return keepPlan(cache, plan);
}

/**
 * A plan that was made before and kept in a file. Hardware and budget are its own unless they are given here.
 * @throws StalePlanError when it was made for something else, FileFormatError for a damaged file.
 */
export async function openPlan(
  path: string,
  setup: SparseSetup,
  machine: {
    readonly limits: BindingLimits;
    readonly hardware?: HardwareProfile | undefined;
    readonly budgetBytes?: Bytes | undefined;
  },
): Promise<Plan> {
  const plan = readPlan(path);
  const { limits, hardware, budgetBytes = plan.inputs.budgetBytes } = machine;
  const { objective, solver } = plan.inputs;
  const hash = hardware === undefined ? plan.inputs.hardware : hardwareHash(hardware);
  checkPlan(plan, { ...planInputs(setup, { budgetBytes, solver }, hash), objective });
  const exact = exactBytes(setup, plan, limits);
  if (exact === plan.gpuBytes) return plan;
  throw new StalePlanError(["size on the GPU"], String(plan.gpuBytes), String(exact));
}

/** Plans of one model, machine and context within several budgets, and what they are plans of. */
export interface PlannedBudgets {
  readonly model: PlaceableModel;
  /** With rising budgets. */
  readonly plans: readonly Plan[];
}

/**
 * A plan for each budget, from one pass of the solver; none is kept. `budgets`: as createPlans is given them.
 * @throws as planModel.
 */
export async function planBudgetsOf(
  setup: SparseSetup,
  request: Omit<PlanRequest, "curvePoints">,
  budgets: (everything: Bytes) => readonly Bytes[],
): Promise<PlannedBudgets> {
  const { hardware, limits, furtherGibibytes } = request;
  const inputs = planInputs(setup, request, hardwareHash(hardware));
  const streamPath = mayStream(setup, hardware);
  const model = describeSetup(setup, { limits, streamPath });
  const plans: Plan[] = [];
  const made = await createPlans({ model, hardware, inputs, furtherGibibytes, budgets });
  for (const plan of made.map((one) => withStream(setup, one, { hardware, streamPath }))) {
    const { budgetBytes } = plan.inputs;
    const exact = exactBytes(setup, plan, limits);
    const within = { ...request, budgetBytes, curvePoints: 0 };
    plans.push(
      exact <= budgetBytes
        ? withExactBytes(plan, exact)
        : await solveWithin(setup, within, plan.inputs),
    );
  }
  return { model, plans };
}

function isReusable(plan: Plan, request: PlanRequest): boolean {
  const hasOutlook = request.furtherGibibytes === 0 || plan.further.length > 0;
  return hasOutlook && plan.curve.length >= request.curvePoints;
}

/** Layers that both devices share, whose down projection must be rows and is not yet. */
export function layersToTranspose(
  { model, sparsity }: SparseSetup,
  placement: Placement,
): readonly number[] {
  return placement.layers.flatMap(({ parts }, layer) => {
    const isSplit = parts.length > 1;
    const lacksRows = columnsOf(model, layer) !== undefined;
    return isSplit && lacksRows && sparsity.downRows?.(layer) === undefined ? [layer] : [];
  });
}

async function solveWithin(
  setup: SparseSetup,
  request: PlanRequest,
  inputs: Omit<PlanInputs, "hardware">,
): Promise<Plan> {
  const { hardware, limits, furtherGibibytes, curvePoints } = request;
  const streamPath = mayStream(setup, hardware);
  let model = describeSetup(setup, { limits, streamPath });
  for (let attempt = 0; attempt < maxTries; attempt++) {
    const made = await createPlan({ model, hardware, inputs, furtherGibibytes, curvePoints });
    const plan = withStream(setup, made, { hardware, streamPath });
    const exact = exactBytes(setup, plan, limits);
    if (exact <= request.budgetBytes) return withExactBytes(plan, exact);
    const excess = exact - request.budgetBytes;
    model = {
      ...model,
      gpuScratchBytes: model.gpuScratchBytes + excess,
    } satisfies PlaceableModel;
  }
  throw new LimitError(
    `no placement was found whose buffers fit ${formatBytes(request.budgetBytes)}; use --device cpu`,
  );
}

/** Says from how many rows its prompts stream, where it has room for that and some layer is split. */
function withStream(
  setup: SparseSetup,
  plan: Plan,
  { hardware, streamPath }: { readonly hardware: HardwareProfile; readonly streamPath: boolean },
): Plan {
  const hasCold = plan.layers.some(
    ({ attentionDevice, parts }) =>
      attentionDevice === gpuDevice && parts.some(({ device }) => device !== gpuDevice),
  );
  const streamPromptsFrom = streamPath && hasCold ? streamsFrom(setup, hardware, plan) : undefined;
  return streamPromptsFrom === undefined ? plan : { ...plan, streamPromptsFrom };
}

function describeSetup(
  setup: SparseSetup,
  placing: { readonly limits: BindingLimits; readonly streamPath: boolean },
): PlaceableModel {
  const program = shapedProgram(setup, (layer) => rowsOf(setup, layer));
  const unsplit = shapedProgram(setup, setup.sparsity.downRows);
  const activity = (layer: number, op: PlacedOp): Activity =>
    op.kind === "experts"
      ? expertActivity(setup, layer, op)
      : neuronActivity(setup, { layer, neurons: op.block.neurons });
  return describeProgram({ program, unsplit, activity, ...placing });
}

function exactBytes(setup: SparseSetup, plan: Plan, limits: BindingLimits): Bytes {
  const toTranspose = new Set(layersToTranspose(setup, plan));
  const program = shapedProgram(setup, (layer) =>
    toTranspose.has(layer) ? rowsOf(setup, layer) : setup.sparsity.downRows?.(layer),
  );
  return placedBytes(program, plan, { limits, streamPath: plan.streamPromptsFrom !== undefined });
}

function shapedProgram(
  setup: SparseSetup,
  downRows: ((layer: number) => Weight | undefined) | undefined,
): Program {
  return programOf(setup, { output: "choice", ...(downRows && { downRows }) }).program;
}

/** The rest beside weights and cache is scratch; whole hot layers keep their file's layout, which may be smaller than rows. */
function withExactBytes(plan: Plan, exact: Bytes): Plan {
  const { scratch = 0, ffn = 0, ...others } = plan.memory[gpuDevice] ?? {};
  const fixed = Object.values(others).reduce((sum, bytes) => sum + bytes, 0);
  const ffnBytes = Math.min(ffn, exact - fixed);
  const items = { ...others, ffn: ffnBytes, scratch: exact - fixed - ffnBytes };
  const isUsed = scratch > 0;
  return {
    ...plan,
    gpuBytes: exact,
    memory: { ...plan.memory, [gpuDevice]: isUsed ? items : {} },
  };
}

/** The rows there are, or their shape: bytes can be counted before anything is transposed. */
function rowsOf({ model, sparsity, sidecar }: SparseSetup, layer: number): Weight | undefined {
  const shape = shapeOfRows(model, layer);
  return shape && (sparsity.downRows?.(layer) ?? sidecar?.downRows[layer] ?? shape);
}

/** A transposed down projection without its bytes; undefined where the file has rows already. */
export function shapeOfRows(model: Model, layer: number): Weight | undefined {
  const columns = columnsOf(model, layer);
  return columns && transposedShape(columns, downRowType(columns));
}

/** Of a router that chooses all alike where no profile has counted. */
function expertActivity(
  { sidecar }: SparseSetup,
  layer: number,
  { stack, routes }: OpOf<"experts">,
): Activity {
  const { tokens = 0, layers = [] } = sidecar?.experts ?? {};
  const counts = layers[layer]?.counts;
  if (counts === undefined || tokens === 0) {
    return { kind: "uniform", frequency: routeCount(routes) / stack.count };
  }
  return { kind: "profile", frequencies: counts.map((count) => count / tokens) };
}

function neuronActivity(
  { sidecar, sparsity }: SparseSetup,
  { layer, neurons }: { readonly layer: number; readonly neurons: number },
): Activity {
  const profile = sidecar?.profile;
  // Files of PowerInfer do not say how well their predictors do.
  const { recall = 1, precision = 1 } =
    (sparsity.method === "mlp" ? sidecar?.predictors[layer] : undefined) ?? {};
  const selected = recall > 0 && precision > 0 ? recall / precision : 1;
  const counts = profile?.counts[layer];
  if (profile === undefined || counts === undefined || profile.tokens === 0) {
    const frequency = sparsity.method === "dense" ? 1 : assumedActivity;
    return { kind: "uniform", frequency, selected };
  }
  const frequencies = new Float64Array(neurons).map((_, id) => (counts[id] ?? 0) / profile.tokens);
  return { kind: "profile", frequencies, selected };
}

function planInputs(
  setup: SparseSetup,
  request: Pick<PlanRequest, "budgetBytes" | "solver">,
  hardware: string,
): PlanInputs {
  const { model, options, sidecar } = setup;
  return {
    model: model.gguf.fingerprint(),
    profile: profileHash(sidecar),
    hardware,
    budgetBytes: request.budgetBytes,
    context: options.contextLength,
    method: methodText(setup),
    objective: options.objective,
    solver: request.solver,
  };
}

/**
 * Everything beside the model that decides about what is read and, but for the adapter's limits, about bytes: a plan
 * holds on every adapter that allocates the same bytes for it.
 */
function methodText({ options, sparsity, maxOutputs }: SparseSetup): string {
  const { sequences, batchSize, cacheType, checkpoints, promptStream = "auto" } = options;
  return [
    sparsity.method,
    `${sequences} sequences of ${cacheType}`,
    ...(checkpoints === undefined ? [] : [`${checkpoints} checkpoints each`]),
    `steps of ${batchSize} rows and ${maxOutputs} outputs`,
    ...(promptStream === "auto" ? [] : [`prompts stream ${promptStream}`]),
  ].join(", ");
}

/** Of what was counted of neurons, or of experts; null where nothing was. */
function profileHash(sidecar: Sidecar | undefined): string | null {
  const { profile, experts } = sidecar ?? {};
  const ofExperts = experts?.layers.flatMap((layer) => (layer ? [layer.counts] : []));
  const counts = profile?.counts ?? ofExperts;
  if (counts === undefined) return null;
  const hash = createHash("sha256");
  for (const layer of counts)
    hash.update(new Uint8Array(layer.buffer, layer.byteOffset, layer.byteLength));
  return hash.digest("hex").slice(0, 32);
}
