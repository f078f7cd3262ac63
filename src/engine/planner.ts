/**
 * From a model, a budget and a machine to a placement: the planner is told true bytes, and its plan's bytes are those
 * that the GPU backend will allocate, because they are asked of it. Plans are kept in the user's cache.
 */
import { createHash } from "node:crypto";
import type { BindingLimits } from "../backends/webgpu/recording-buffers.ts";
import { LimitError, StalePlanError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";
import { downRowType } from "../derived-weights/transpose-down.ts";
import { describeProgram, placedBytes } from "../devices/hybrid/description.ts";
import type { Placement } from "../devices/hybrid/partition.ts";
import { cacheFolder } from "../io/cache-folder.ts";
import { readTextFile } from "../io/open-file.ts";
import { buildProgram, type ModelProgram } from "../model/build-program.ts";
import type { Model } from "../model/model.ts";
import type { Weight } from "../ops/op.ts";
import type { HardwareProfile } from "../placement/hardware.ts";
import type { Activity, ModelDescription } from "../placement/model-description.ts";
import {
  checkPlan,
  createPlan,
  gpuDevice,
  hardwareHash,
  type Plan,
  type PlanInputs,
} from "../placement/plan.ts";
import { forgetCachedPlan, readCachedPlan, writeCachedPlan } from "../placement/plan-cache.ts";
import { parsePlan } from "../placement/plan-json.ts";
import type { Objective } from "../placement/problem.ts";
import type { Solver } from "../placement/solve-placement.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import type { ResolvedSparsity } from "./resolve-sparsity.ts";

export interface PlanModelRequest {
  readonly model: Model;
  readonly resolved: Pick<
    ResolvedEngineOptions,
    "contextLength" | "sequences" | "batchSize" | "cacheType"
  >;
  /** The most rows of a step that may want an output. */
  readonly maxOutputs: number;
  readonly sparsity: ResolvedSparsity;
  readonly sidecar: Sidecar | undefined;
  readonly hardware: HardwareProfile;
  readonly limits: BindingLimits;
  readonly budgetBytes: Bytes;
  readonly objective: Objective;
  readonly solver: Solver;
  /** Further GiB to look at, and points of the curve; 0 for none. */
  readonly furtherGibibytes: number;
  readonly curvePoints: number;
}

/** Share of neurons assumed to fire where nobody has counted: PowerInfer (2312.12456, §2.2) finds about a tenth. */
const assumedActivity = 0.1;

/** Each try leaves out what the last one took too much; the first one fits unless many blocks differ in size. */
const maxTries = 8;

/** @throws OptionError for a budget that the card cannot have; UnsupportedError for what the GPU lacks. */
export async function planModel(request: PlanModelRequest): Promise<Plan> {
  const inputs = planInputs(request, hardwareHash(request.hardware));
  const folder = cacheFolder("plans");
  const cached = await readCachedPlan(folder, inputs);
  const isKept = cached !== undefined && isReusable(cached, request);
  // Another version of hearth may have made it, whose buffers were others.
  if (isKept && exactBytes(request, cached) === cached.gpuBytes) return cached;
  const plan = await solveWithin(request, inputs);
  await writeCachedPlan(folder, plan);
  return plan;
}

/** A new plan in place of the one that was kept for `before`, the sidecar as it was. @throws as planModel. */
export async function planAgain(
  request: PlanModelRequest,
  before: Sidecar | undefined,
): Promise<Plan> {
  const hash = hardwareHash(request.hardware);
  const folder = cacheFolder("plans");
  const plan = await solveWithin(request, planInputs(request, hash));
  await forgetCachedPlan(folder, planInputs({ ...request, sidecar: before }, hash));
  await writeCachedPlan(folder, plan);
  return plan;
}

/**
 * A plan that was made before and kept in a file. Hardware and budget are its own unless they are given here.
 * @throws StalePlanError when it was made for something else, FileFormatError for a damaged file.
 */
export async function openPlan(
  path: string,
  request: Omit<PlanModelRequest, "hardware" | "budgetBytes"> & {
    readonly hardware: HardwareProfile | undefined;
    readonly budgetBytes: Bytes | undefined;
  },
): Promise<Plan> {
  const plan = parsePlan(readTextFile(path), path);
  const { hardware, budgetBytes = plan.inputs.budgetBytes } = request;
  const hash = hardware === undefined ? plan.inputs.hardware : hardwareHash(hardware);
  const { objective, solver } = plan.inputs;
  checkPlan(plan, { ...planInputs({ ...request, budgetBytes }, hash), objective, solver });
  const exact = exactBytes(request, plan);
  if (exact === plan.gpuBytes) return plan;
  throw new StalePlanError(["size on the GPU"], String(plan.gpuBytes), String(exact));
}

/** What a kept plan may take of the card. @throws FileFormatError for a damaged file. */
export async function budgetOfPlan(path: string): Promise<Bytes> {
  return parsePlan(readTextFile(path), path).inputs.budgetBytes;
}

function isReusable(plan: Plan, request: PlanModelRequest): boolean {
  const hasOutlook = request.furtherGibibytes === 0 || plan.further.length > 0;
  return hasOutlook && plan.curve.length >= request.curvePoints;
}

/** The program that runs by this placement: split layers have their down projections as rows. */
export function hybridProgram(
  request: Pick<PlanModelRequest, "model" | "resolved" | "sparsity" | "maxOutputs">,
  downRows: (layer: number) => Weight | undefined,
): ModelProgram {
  const { model, resolved, sparsity } = request;
  return buildProgram(model, {
    contextLength: resolved.contextLength,
    sequences: resolved.sequences,
    maxRows: resolved.batchSize,
    maxOutputs: request.maxOutputs,
    kvType: resolved.cacheType,
    output: "choice",
    methodFor: sparsity.methodFor,
    downRows,
    ...(sparsity.masksFor && { masksFor: sparsity.masksFor }),
  });
}

/** Layers that both devices share, whose down projection must be rows and is not yet. */
export function layersToTranspose(
  model: Model,
  sparsity: ResolvedSparsity,
  placement: Placement,
): readonly number[] {
  return placement.layers.flatMap(({ parts }, layer) => {
    const isSplit = parts.length > 1;
    const hasRows = model.layers[layer]?.ffn.down.layout === "rows";
    return isSplit && !hasRows && sparsity.downRows?.(layer) === undefined ? [layer] : [];
  });
}

async function solveWithin(
  request: PlanModelRequest,
  inputs: Omit<PlanInputs, "hardware">,
): Promise<Plan> {
  const { hardware, limits, furtherGibibytes, curvePoints } = request;
  const everySplit = hybridProgram(request, (layer) => rowsOf(request, layer)).program;
  const unsplit = hybridProgram(request, (layer) => request.sparsity.downRows?.(layer)).program;
  const activity = (layer: number, neurons: number): Activity =>
    activityOf(request, { layer, neurons });
  let model = describeProgram({ program: everySplit, unsplit, activity, limits });
  for (let attempt = 0; attempt < maxTries; attempt++) {
    const plan = await createPlan({ model, hardware, inputs, furtherGibibytes, curvePoints });
    const exact = exactBytes(request, plan);
    if (exact <= request.budgetBytes) return withExactBytes(plan, exact);
    const excess = exact - request.budgetBytes;
    model = {
      ...model,
      gpuScratchBytes: model.gpuScratchBytes + excess,
    } satisfies ModelDescription;
  }
  throw new LimitError(
    `no placement was found whose buffers fit ${formatBytes(request.budgetBytes)}; use --device cpu`,
  );
}

function exactBytes(
  request: Pick<
    PlanModelRequest,
    "model" | "resolved" | "sparsity" | "maxOutputs" | "sidecar" | "limits"
  >,
  plan: Plan,
): Bytes {
  const toTranspose = new Set(layersToTranspose(request.model, request.sparsity, plan));
  const { program } = hybridProgram(request, (layer) =>
    toTranspose.has(layer) ? rowsOf(request, layer) : request.sparsity.downRows?.(layer),
  );
  return placedBytes(program, plan, request.limits);
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
function rowsOf(
  { model, sparsity, sidecar }: Pick<PlanModelRequest, "model" | "sparsity" | "sidecar">,
  layer: number,
): Weight | undefined {
  const shape = shapeOfRows(model, layer);
  return shape && (sparsity.downRows?.(layer) ?? sidecar?.downRows[layer] ?? shape);
}

/** A transposed down projection without its bytes; undefined where the file has rows already. */
export function shapeOfRows(model: Model, layer: number): Weight | undefined {
  const down = model.layers[layer]?.ffn.down;
  if (down === undefined || down.layout === "rows") return undefined;
  const { name, rows, columns } = down.weight;
  return {
    name: `${name} transposed`,
    type: downRowType(down.weight),
    rows: columns,
    columns: rows,
    bytes: { kind: "memory", data: new Uint8Array(0) },
  };
}

function activityOf(
  { sidecar, sparsity }: PlanModelRequest,
  { layer, neurons }: { readonly layer: number; readonly neurons: number },
): Activity {
  const profile = sidecar?.profile;
  const counts = profile?.counts[layer];
  if (profile === undefined || counts === undefined || profile.tokens === 0) {
    return { kind: "uniform", frequency: sparsity.method === "dense" ? 1 : assumedActivity };
  }
  const frequencies = new Float64Array(neurons).map((_, id) => (counts[id] ?? 0) / profile.tokens);
  return { kind: "profile", frequencies };
}

function planInputs(request: Omit<PlanModelRequest, "hardware">, hardware: string): PlanInputs {
  const { model, resolved, sidecar } = request;
  return {
    model: model.gguf.fingerprint(),
    profile: sidecar?.profile === undefined ? null : profileHash(sidecar.profile.counts),
    hardware,
    budgetBytes: request.budgetBytes,
    context: resolved.contextLength,
    method: methodText(request),
    objective: request.objective,
    solver: request.solver,
  };
}

/** Everything beside the model that decides about bytes and what is read. */
function methodText(
  request: Pick<PlanModelRequest, "resolved" | "sparsity" | "maxOutputs" | "limits">,
): string {
  const { resolved, sparsity, maxOutputs, limits } = request;
  const { sequences, batchSize, cacheType } = resolved;
  return [
    sparsity.method,
    `${sequences} sequences of ${cacheType}`,
    `steps of ${batchSize} rows and ${maxOutputs} outputs`,
    `bindings of ${limits.maxBinding} bytes`,
  ].join(", ");
}

function profileHash(counts: readonly Float64Array[]): string {
  const hash = createHash("sha256");
  for (const layer of counts)
    hash.update(new Uint8Array(layer.buffer, layer.byteOffset, layer.byteLength));
  return hash.digest("hex").slice(0, 32);
}
