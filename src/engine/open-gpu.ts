/** Opens a model on a graphics card, or on card and CPU together: the plan, what it needs made, the thread that runs it. */
import type { Backend } from "../backends/backend.ts";
import type { AdapterDescription } from "../backends/webgpu/adapter-description.ts";
import type { BindingLimits } from "../backends/webgpu/recording-buffers.ts";
import { estimateGpuBytes } from "../backends/webgpu/webgpu-backend.ts";
import { rowBytes } from "../core/dtype.ts";
import type { Bytes } from "../core/units.ts";
import { downRowType } from "../derived-weights/transpose-down.ts";
import { measuredHardware } from "../devices/hardware/cache.ts";
import { openHardware } from "../devices/hardware/measure-machine.ts";
import type { AdaptOptions } from "../devices/hybrid/adapt.ts";
import { createDeviceBackend } from "../devices/thread/backend.ts";
import type { DeviceSpec } from "../devices/thread/device.ts";
import type { ModelProgram } from "../model/build-program.ts";
import type { Model } from "../model/model.ts";
import type { Weight } from "../ops/op.ts";
import type { HardwareProfile } from "../placement/hardware.ts";
import type { Plan } from "../placement/plan.ts";
import { promptOnCpuFrom } from "../placement/prompt-path.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";
import type { ChosenDevice } from "./choose-device.ts";
import { openHostBackend } from "./host-backend.ts";
import type { EngineOptions, ResolvedEngineOptions } from "./options.ts";
import { hybridProgram, layersToTranspose, openPlan, planModel, shapeOfRows } from "./planner.ts";
import type { ResolvedSparsity } from "./resolve-sparsity.ts";

export interface DeviceRequest {
  readonly model: Model;
  readonly options: EngineOptions;
  readonly resolved: ResolvedEngineOptions;
  readonly sparsity: ResolvedSparsity;
  readonly sidecar: Sidecar | undefined;
  readonly maxOutputs: number;
}

export interface OpenedDevice {
  readonly backend: Backend;
  readonly built: ModelProgram;
  /** Present on two devices. */
  readonly plan?: Plan;
  readonly notices: readonly string[];
}

type DeviceKind<Kind extends ChosenDevice["kind"]> = Extract<ChosenDevice, { kind: Kind }>;

export function adapterLimits(adapter: AdapterDescription): BindingLimits {
  return { maxBinding: adapter.maxBindingBytes, maxBuffer: adapter.maxBufferBytes };
}

/** Bytes of the whole model on an adapter, before its method is settled: any but dense needs down projections as rows. */
export function wholeModelBytes(
  model: Model,
  resolved: ResolvedEngineOptions,
  adapter: AdapterDescription,
): Bytes {
  const sparsity: ResolvedSparsity = {
    method: "dense",
    methodFor: () => ({ kind: "dense" }),
    notices: [],
  };
  const { program } = hybridProgram(
    { model, resolved, sparsity, maxOutputs: resolved.sequences },
    (layer) => (resolved.sparsity === "dense" ? undefined : shapeOfRows(model, layer)),
  );
  return estimateGpuBytes(program, adapterLimits(adapter));
}

export async function openGpuDevice(
  { adapter, budget, notices }: DeviceKind<"gpu">,
  request: DeviceRequest,
): Promise<OpenedDevice> {
  const { sparsity } = request;
  const built = hybridProgram(request, (layer) => sparsity.downRows?.(layer));
  const spec: DeviceSpec = {
    kind: "gpu",
    adapter: adapter.name,
    ...(budget !== undefined && { vramBudget: budget }),
  };
  return { backend: await createDeviceBackend(spec), built, notices };
}

export async function openHybridDevice(
  { adapter, budget, notices }: DeviceKind<"hybrid">,
  request: DeviceRequest,
): Promise<OpenedDevice> {
  const { options, resolved, sparsity, sidecar } = request;
  const { threads } = resolved;
  const isAdaptable = sparsity.method !== "dense";
  const { plan, hardware } = await resolvePlan({ adapter, budget }, request);
  const made = await transposeSplitLayers(request, plan);
  const built = hybridProgram(request, (layer) => made.get(layer) ?? sparsity.downRows?.(layer));
  const backend = await createDeviceBackend({
    kind: "hybrid",
    adapter: adapter.name,
    vramBudget: budget,
    ...(threads !== undefined && { threads }),
    placement: { layers: plan.layers, outputDevice: plan.outputDevice },
    timeline: options.timeline ?? false,
    ...(hardware && promptPath(hardware, plan, request)),
    ...(options.adapt && isAdaptable && { adapt: adaptOptions(plan, sidecar) }),
  });
  const fixed =
    options.adapt && !isAdaptable ? ["nothing adapts: sparsity dense computes every neuron"] : [];
  const share = `${(100 * plan.gpuActivationShare).toFixed(0)} % of activations on the GPU`;
  return { backend, built, plan, notices: [...notices, share, ...plan.notes, ...fixed] };
}

/** What the placement was made from, as far as exchanges of neurons go by it. */
function adaptOptions(plan: Plan, sidecar: Sidecar | undefined): AdaptOptions {
  const { profile } = sidecar ?? {};
  const expectedShare = plan.gpuActivationShare;
  if (profile === undefined || profile.tokens === 0) return { expectedShare };
  const { counts, tokens } = profile;
  const frequencies = counts.map((layer) => Float32Array.from(layer, (count) => count / tokens));
  return { expectedShare, frequencies };
}

/** The plan that was named, else the best one for this machine. */
async function resolvePlan(
  { adapter, budget }: { readonly adapter: AdapterDescription; readonly budget: Bytes },
  { model, options, resolved, sparsity, sidecar, maxOutputs }: DeviceRequest,
): Promise<{ readonly plan: Plan; readonly hardware: HardwareProfile | undefined }> {
  const named = options.hardware === undefined ? undefined : await openHardware(options.hardware);
  const limits = adapterLimits(adapter);
  const fixed = {
    objective: resolved.objective,
    solver: "exact",
    furtherGibibytes: 0,
    curvePoints: 0,
  } as const;
  const request = { model, resolved, sparsity, sidecar, maxOutputs, limits, ...fixed };
  if (options.plan !== undefined) {
    const budgetBytes = resolved.vramBudget;
    const plan = await openPlan(options.plan, { ...request, hardware: named, budgetBytes });
    return { plan, hardware: named };
  }
  const { threads } = resolved;
  const hardware = named ?? (await measuredHardware({ adapter, threads }));
  return { plan: await planModel({ ...request, hardware, budgetBytes: budget }), hardware };
}

/** From how many rows a prompt's split layers are better off on the CPU alone. */
function promptPath(
  hardware: HardwareProfile,
  { layers }: Plan,
  { model, resolved }: DeviceRequest,
): { readonly promptOnCpuFrom?: number } {
  const ffn = model.layers[0]?.ffn;
  if (ffn === undefined) return {};
  const { dim } = model.hyperparameters;
  const matrices = ffn.gate === undefined ? 2 : 3;
  const rows = promptOnCpuFrom({
    hardware,
    layers,
    weightsPerNeuron: matrices * dim,
    bytesPerNeuron: matrices * rowBytes(ffn.up.weight.type, dim),
    type: ffn.up.weight.type,
    maxRows: resolved.batchSize,
  });
  return rows === undefined ? {} : { promptOnCpuFrom: rows };
}

/** A neuron of a split layer must be a row on both devices. From the sidecar where it has them, else made now. */
async function transposeSplitLayers(
  { model, options, resolved, sparsity, sidecar }: DeviceRequest,
  plan: Plan,
): Promise<ReadonlyMap<number, Weight>> {
  const made = new Map<number, Weight>();
  const { backend } = openHostBackend("auto", resolved.threads);
  try {
    for (const layer of layersToTranspose(model, sparsity, plan)) {
      options.signal?.throwIfAborted();
      const weight = model.layers[layer]?.ffn.down.weight;
      if (weight === undefined) continue;
      const type = downRowType(weight);
      const known = sidecar?.downRows[layer];
      made.set(layer, known ?? (await backend.transpose(weight, type)));
    }
  } finally {
    backend[Symbol.dispose]();
  }
  return made;
}
