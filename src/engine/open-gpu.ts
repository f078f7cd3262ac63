/** What a model needs before it is opened on a graphics card, or on card and CPU together: plan, rows, program. */

import { fileUse } from "../backends/cpu/mapped-files.ts";
import { type AdapterDescription, bindingLimits } from "../backends/webgpu/adapter-description.ts";
import { estimateGpuBytes } from "../backends/webgpu/webgpu-backend.ts";
import { defined } from "../core/defined.ts";
import type { Bytes } from "../core/units.ts";
import { downRowsOf } from "../derived-weights/down-rows.ts";
import type { Transpose } from "../derived-weights/transpose.ts";
import { downRowType } from "../derived-weights/transpose-down.ts";
import { measuredHardware } from "../devices/hardware/cache.ts";
import { openHardware } from "../devices/hardware/measure-machine.ts";
import type { AdaptOptions } from "../devices/hybrid/adapt.ts";
import type { DeviceSpec } from "../devices/thread/device.ts";
import { memoryOfProcess } from "../io/cgroup.ts";
import type { ModelProgram } from "../model/build-program.ts";
import type { HardwareProfile } from "../placement/hardware.ts";
import type { Plan } from "../placement/plan.ts";
import { frequenciesOf } from "../sparsity/expert-profile.ts";
import type { MethodName } from "../sparsity/method-names.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";
import type { ChosenDevice } from "./choose-device.ts";
import { coldMemoryNotices } from "./cold-memory.ts";
import { openTransposer } from "./host-backend.ts";
import { type ModelSetup, withSidecar } from "./model-setup.ts";
import {
  layersToTranspose,
  openPlan,
  type PlanRequest,
  planModel,
  shapeOfRows,
} from "./planner.ts";
import { programOf } from "./program-of.ts";
import { planWithBatch, withBatch } from "./prompt-batch.ts";
import { promptRuleOf } from "./prompt-rule.ts";
import type { Remarks } from "./remarks.ts";
import { denseSparsity, resolveSparsity, type SparseSetup } from "./resolve-sparsity.ts";

/** All that the device's thread is opened with. */
export interface DeviceSetup extends Remarks {
  readonly spec: DeviceSpec;
  readonly built: ModelProgram;
  readonly sparsity: MethodName;
  /** Present on two devices. */
  readonly plan?: Plan;
}

type DeviceKind<Kind extends ChosenDevice["kind"]> = Extract<ChosenDevice, { kind: Kind }>;

/** Bytes of the whole model on an adapter, before its method is resolved: any but dense needs down projections as rows. */
export function wholeModelBytes(setup: ModelSetup, adapter: AdapterDescription): Bytes {
  const isDense = setup.options.sparsity === "dense";
  const { program } = programOf(
    { ...setup, sparsity: denseSparsity },
    {
      output: "choice",
      downRows: (layer) => (isDense ? undefined : shapeOfRows(setup.model, layer)),
    },
  );
  return estimateGpuBytes(program, bindingLimits(adapter));
}

/** What must be made at load is made by the processor's threads, which end before the device's own thread begins. */
export async function setUpDevice(
  chosen: Exclude<ChosenDevice, { kind: "host" }>,
  setup: ModelSetup,
): Promise<DeviceSetup> {
  using transposer = openTransposer(setup.options.threads);
  const { transpose } = transposer;
  return chosen.kind === "gpu"
    ? await setUpGpu(chosen, setup, transpose)
    : await setUpHybrid(chosen, withSidecar(setup), transpose);
}

async function setUpGpu(
  { adapter, budget, notices, details }: DeviceKind<"gpu">,
  setup: ModelSetup,
  transpose: Transpose,
): Promise<DeviceSetup> {
  const sparsity = await resolveSparsity(setup, transpose, "leave");
  return {
    spec: {
      kind: "gpu",
      adapter: adapter.name,
      ...(budget !== undefined && { vramBudget: budget }),
    },
    built: programOf({ ...setup, sparsity }, { output: "choice" }),
    sparsity: sparsity.method,
    notices: [...notices, ...sparsity.notices],
    details: [...details, ...sparsity.details],
  };
}

async function setUpHybrid(
  { adapter, budget, notices, details }: DeviceKind<"hybrid">,
  setup: ModelSetup,
  transpose: Transpose,
): Promise<DeviceSetup> {
  const { model, options, sidecar } = setup;
  const { threads, exact, signal } = options;
  const sparsity = await resolveSparsity(setup, transpose, "map");
  const asked: SparseSetup = { ...setup, sparsity };
  const isAdaptable = sparsity.method !== "dense" || model.hyperparameters.mixture !== undefined;
  const { plan, hardware } = await resolvePlan({ adapter, budget }, asked);
  const ready = withBatch(asked, plan.promptBatch);
  // A neuron of a split layer must be a row on both devices.
  const split = await downRowsOf(model, layersToTranspose(ready, plan), {
    sidecar,
    transpose,
    signal,
    rowType: downRowType,
  });
  const fixed =
    options.adapt && !isAdaptable ? ["nothing adapts: sparsity dense computes every neuron"] : [];
  const share = `${(100 * plan.gpuActivationShare).toFixed(0)} % of activations on the GPU`;
  return {
    spec: {
      kind: "hybrid",
      adapter: adapter.name,
      vramBudget: budget,
      ...(threads !== undefined && { threads }),
      ...(exact !== undefined && { exact }),
      files: fileUse(options),
      placement: { layers: plan.layers, outputDevice: plan.outputDevice },
      timeline: options.timeline ?? false,
      ...defined({ promptPath: promptRuleOf(ready, plan, hardware) }),
      ...(options.adapt && isAdaptable && { adapt: adaptOptions(plan, sidecar) }),
    },
    built: programOf(ready, {
      output: "choice",
      downRows: (layer) => split.weights.get(layer) ?? sparsity.downRows?.(layer),
    }),
    sparsity: sparsity.method,
    plan,
    notices: [
      ...notices,
      ...plan.notices,
      ...coldMemoryNotices(plan, memoryOfProcess()),
      ...fixed,
      ...sparsity.notices,
    ],
    details: [...details, share, ...sparsity.details, ...split.details],
  };
}

/** What the placement was made from, as far as exchanges go by it. */
function adaptOptions(plan: Plan, sidecar: Sidecar | undefined): AdaptOptions {
  const { profile, experts } = sidecar ?? {};
  const expectedShare = plan.gpuActivationShare;
  if (experts !== undefined) return { expectedShare, frequencies: frequenciesOf(experts) };
  if (profile === undefined || profile.tokens === 0) return { expectedShare };
  const { counts, tokens } = profile;
  const frequencies = counts.map((layer) => Float32Array.from(layer, (count) => count / tokens));
  return { expectedShare, frequencies };
}

/** The plan that was named, else the best one for this machine. */
async function resolvePlan(
  { adapter, budget }: { readonly adapter: AdapterDescription; readonly budget: Bytes },
  setup: SparseSetup,
): Promise<{ readonly plan: Plan; readonly hardware: HardwareProfile | undefined }> {
  const { plan: path, hardware: name, vramBudget: budgetBytes, threads } = setup.options;
  const named = name === undefined ? undefined : await openHardware(name);
  const limits = bindingLimits(adapter);
  if (path !== undefined) {
    const plan = await openPlan(path, setup, { limits, hardware: named, budgetBytes });
    return { plan, hardware: named };
  }
  const hardware = named ?? (await measuredHardware({ adapter, threads }));
  const request: PlanRequest = {
    hardware,
    limits,
    budgetBytes: budget,
    solver: "exact",
    furtherGibibytes: 0,
    curvePoints: 0,
  };
  const plan = await planWithBatch(setup, hardware, (own) => planModel(own, request));
  return { plan, hardware };
}
