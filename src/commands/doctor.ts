/** What this machine offers to hearth: processor, memory, native addon, graphics adapters. Looks, changes nothing. */

import { arch, cpus, platform, release } from "node:os";
import { loadAddon } from "../backends/addon.ts";
import { createCpuBackend } from "../backends/cpu/cpu-backend.ts";
import { machineOf } from "../backends/cpu/machine.ts";
import { searchAdapters } from "../backends/webgpu/adapter.ts";
import type { AdapterDescription } from "../backends/webgpu/adapter-description.ts";
import { DeviceError } from "../core/errors.ts";
import type { Bytes, BytesPerSecond } from "../core/units.ts";
import { ownVersion } from "../core/version.ts";
import { cgroupLimits, memoryOfProcess, threadsWithin } from "../io/cgroup.ts";

export interface Diagnosis {
  readonly version: string;
  readonly node: string;
  /** "linux x64 6.1.0" */
  readonly system: string;
  readonly cpu: CpuDiagnosis;
  readonly addon: AddonDiagnosis;
  /** Discrete before integrated before software; empty with `gpuProblem` saying why. */
  readonly adapters: readonly AdapterDescription[];
  readonly gpuProblem?: string;
}

interface CpuDiagnosis {
  readonly name: string;
  /** Undefined where only the addon could report it. */
  readonly physicalCores?: number;
  /** Of them, those that are not for saving energy. */
  readonly performanceCores?: number;
  readonly usableCores: number;
  readonly memoryBytes: Bytes;
  readonly availableBytes?: Bytes;
}

/** "missing": `reason` is one line that says how to get it. */
type AddonDiagnosis =
  | {
      readonly kind: "loaded";
      /** "compiled here", or the package that brought it, with its version. */
      readonly origin: string;
      /** The one that is used, and all that run here, best first. */
      readonly instructionSet: string;
      readonly instructionSets: readonly string[];
      readonly features: string;
      /** What all threads read together from memory that no cache holds: the roof of decode. */
      readonly readBytesPerSecond: BytesPerSecond;
    }
  | { readonly kind: "missing"; readonly reason: string };

export async function diagnose(): Promise<Diagnosis> {
  return {
    version: ownVersion(),
    node: process.version,
    system: `${platform()} ${arch()} ${release()}`,
    cpu: diagnoseCpu(),
    addon: await diagnoseAddon(),
    ...(await diagnoseGpu()),
  };
}

function diagnoseCpu(): CpuDiagnosis {
  const found = cpus();
  const loaded = loadAddon();
  const system = {
    name: found[0]?.model.trim() || "unknown",
    usableCores: Math.min(found.length, threadsWithin(cgroupLimits().cores)),
    memoryBytes: memoryOfProcess(),
  };
  if (loaded.kind === "missing") return system;
  const { cpu, physicalCores, performanceCores, usableCores, memoryBytes, availableBytes } =
    machineOf(loaded.addon);
  return {
    name: cpu || system.name,
    physicalCores,
    performanceCores,
    usableCores,
    memoryBytes,
    availableBytes,
  };
}

async function diagnoseAddon(): Promise<AddonDiagnosis> {
  const loaded = loadAddon();
  if (loaded.kind === "missing") return loaded;
  const { features, kernels } = loaded.addon.machine();
  const backend = createCpuBackend();
  try {
    return {
      kind: "loaded",
      origin: loaded.origin,
      instructionSet: backend.isa,
      instructionSets: kernels.split(" "),
      features,
      readBytesPerSecond: await backend.measureRead(),
    };
  } finally {
    backend[Symbol.dispose]();
  }
}

async function diagnoseGpu(): Promise<Pick<Diagnosis, "adapters" | "gpuProblem">> {
  try {
    const { adapters, warnings } = await searchAdapters();
    if (adapters.length > 0) return { adapters };
    const gpuProblem = `no graphics adapter was found${warnings === "" ? "" : ` (${warnings})`}; install its driver (Linux: Vulkan)`;
    return { adapters, gpuProblem };
  } catch (error) {
    if (error instanceof DeviceError) return { adapters: [], gpuProblem: error.message };
    throw error;
  }
}
