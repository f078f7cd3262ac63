/**
 * The devices that need a thread of their own: a whole model on the GPU, or a model on GPU and CPU together.
 * What they are made from is plain data, so that it can be sent to that thread.
 */
import type { Backend, CompileOptions, Executable } from "../../backends/backend.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import type { AdapterChoice } from "../../backends/webgpu/adapter.ts";
import type { GpuUse } from "../../backends/webgpu/gpu-counts.ts";
import { createWebGpuBackend } from "../../backends/webgpu/webgpu-backend.ts";
import type { Bytes } from "../../core/units.ts";
import type { Program } from "../../ops/program.ts";
import type { AdaptOptions } from "../hybrid/adapt.ts";
import { createHybridBackend } from "../hybrid/backend.ts";
import type { Placement } from "../hybrid/partition.ts";
import type { HybridStats } from "../hybrid/stats.ts";
import type { TimelineEvent } from "../hybrid/timeline.ts";
import { countGpu } from "./gpu-use.ts";

export type DeviceSpec =
  | { readonly kind: "gpu"; readonly adapter: AdapterChoice; readonly vramBudget?: Bytes }
  | {
      readonly kind: "hybrid";
      readonly adapter: AdapterChoice;
      readonly vramBudget: Bytes;
      readonly threads?: number;
      readonly placement: Placement;
      /** Keep a timeline of every step. */
      readonly timeline: boolean;
      /** Exchange neurons between the devices while nothing runs. */
      readonly adapt?: AdaptOptions;
      readonly promptOnCpuFrom?: number;
    };

/** What happened on the device since the model was loaded. */
export interface DeviceReport {
  /** Absent when the placement leaves the GPU nothing. */
  readonly gpu?: GpuUse;
  readonly hybrid?: HybridStats;
}

export interface DeviceExecutable extends Executable {
  report(): Promise<DeviceReport>;
  /** Empty unless the device was made with `timeline`. */
  timeline(): Promise<readonly TimelineEvent[]>;
}

export interface DeviceBackend extends Backend {
  compile(program: Program, options?: CompileOptions): Promise<DeviceExecutable>;
}

/** @throws DeviceError when the adapter or the addon is missing, OptionError for an adapter that does not exist. */
export async function openDevice(spec: DeviceSpec): Promise<DeviceBackend> {
  switch (spec.kind) {
    case "gpu":
      return openGpu(spec);
    case "hybrid":
      return openHybrid(spec);
    default:
      return spec satisfies never;
  }
}

/** The report of any executable that makes one; undefined for those that have nothing to tell. */
export function reportOf(executable: Executable): Promise<DeviceReport> | undefined {
  return isDeviceExecutable(executable) ? executable.report() : undefined;
}

export function timelineOf(executable: Executable): Promise<readonly TimelineEvent[]> | undefined {
  return isDeviceExecutable(executable) ? executable.timeline() : undefined;
}

function isDeviceExecutable(executable: Executable): executable is DeviceExecutable {
  return "report" in executable && "timeline" in executable;
}

async function openGpu(spec: Extract<DeviceSpec, { kind: "gpu" }>): Promise<DeviceBackend> {
  const { adapter, vramBudget } = spec;
  const gpu = await createWebGpuBackend({
    adapter,
    ...(vramBudget !== undefined && { vramBudget }),
  });
  return {
    description: gpu.description,
    compile: async (program, options) => {
      const counted = countGpu(await gpu.compile(program, options));
      return Object.assign(counted.executable, {
        report: async () => ({ gpu: counted.use() }),
        timeline: async () => [],
      });
    },
    [Symbol.dispose]: () => gpu[Symbol.dispose](),
  };
}

async function openHybrid(spec: Extract<DeviceSpec, { kind: "hybrid" }>): Promise<DeviceBackend> {
  const { adapter, vramBudget, threads, placement, timeline, adapt, promptOnCpuFrom } = spec;
  const cpu = createCpuBackend(threads === undefined ? {} : { threads });
  const gpu = await createWebGpuBackend({ adapter, vramBudget }).catch((error: unknown) => {
    cpu[Symbol.dispose]();
    throw error;
  });
  let use: (() => GpuUse) | undefined;
  const counted: Backend = {
    ...gpu,
    compile: async (program, options) => {
      const made = countGpu(await gpu.compile(program, options));
      use = made.use;
      return made.executable;
    },
  };
  const hybrid = createHybridBackend({
    gpu: counted,
    cpu,
    placement,
    timeline,
    ...(adapt && { adapt }),
    ...(promptOnCpuFrom !== undefined && { promptOnCpuFrom }),
  });
  return {
    description: hybrid.description,
    compile: async (program, options) => {
      const executable = await hybrid.compile(program, options);
      return Object.assign(executable, {
        report: async () => ({ ...(use && { gpu: use() }), hybrid: executable.hybridStats() }),
      });
    },
    [Symbol.dispose]: () => hybrid[Symbol.dispose](),
  };
}
