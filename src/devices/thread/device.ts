/**
 * The devices that need a thread of their own: a whole model on the GPU, or a model on GPU and CPU together.
 * What they are made from is plain data, so that it can be sent to that thread.
 */
import type { Backend } from "../../backends/backend.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import type { FileUse } from "../../backends/cpu/mapped-files.ts";
import type { AdapterChoice } from "../../backends/webgpu/adapter.ts";
import { createWebGpuBackend } from "../../backends/webgpu/webgpu-backend.ts";
import { defined } from "../../core/defined.ts";
import type { Bytes } from "../../core/units.ts";
import type { AdaptOptions } from "../hybrid/adapt.ts";
import { createHybridBackend, type HybridBackendOptions } from "../hybrid/backend.ts";
import type { Placement } from "../hybrid/placement.ts";
import { countGpu } from "./gpu-use.ts";

export type DeviceSpec =
  | { readonly kind: "gpu"; readonly adapter: AdapterChoice; readonly vramBudget?: Bytes }
  | {
      readonly kind: "hybrid";
      readonly adapter: AdapterChoice;
      readonly vramBudget: Bytes;
      readonly threads?: number;
      /** Whether the CPU keeps inputs of quantised weights unrounded. Default false. */
      readonly exact?: boolean;
      /** How the CPU's share of the weights comes into memory. Default: mapped. */
      readonly files?: FileUse;
      readonly placement: Placement;
      /** Keep a timeline of every step. */
      readonly timeline: boolean;
      /** Exchange neurons between the devices while nothing runs. */
      readonly adapt?: AdaptOptions;
      /** Which way longer prompts take through split layers. */
      readonly promptPath?: Required<HybridBackendOptions>["promptPath"];
    };

/** @throws DeviceError when the adapter or the addon is missing, OptionError for an adapter that does not exist. */
export async function openDevice(spec: DeviceSpec): Promise<Backend> {
  switch (spec.kind) {
    case "gpu":
      return openGpu(spec);
    case "hybrid":
      return openHybrid(spec);
    default:
      return spec satisfies never;
  }
}

async function openGpu(spec: Extract<DeviceSpec, { kind: "gpu" }>): Promise<Backend> {
  const { adapter, vramBudget } = spec;
  const gpu = await createWebGpuBackend({
    adapter,
    ...(vramBudget !== undefined && { vramBudget }),
  });
  return {
    ...gpu,
    compile: async (program, options) => countGpu(await gpu.compile(program, options)),
  };
}

async function openHybrid(spec: Extract<DeviceSpec, { kind: "hybrid" }>): Promise<Backend> {
  const { adapter, vramBudget, threads, exact, files, placement, timeline, adapt, promptPath } =
    spec;
  const cpu = createCpuBackend(defined({ threads, exact, files }));
  const gpu = await openGpu({ kind: "gpu", adapter, vramBudget }).catch((error: unknown) => {
    cpu[Symbol.dispose]();
    throw error;
  });
  return createHybridBackend({
    gpu,
    cpu,
    placement,
    timeline,
    ...(adapt && { adapt }),
    ...(promptPath && { promptPath }),
  });
}
