/**
 * Measures a machine with the kernels that will run on it: bytes of weights per second by type on each device, the
 * link, the round trip of a split layer. A few seconds in all; sizes grow until a run is long enough to be timed.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { addonDigest, loadAddon } from "../../backends/addon.ts";
import type { Backend } from "../../backends/backend.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import type { AdapterDescription } from "../../backends/webgpu/adapter-description.ts";
import { createWebGpuBackend } from "../../backends/webgpu/webgpu-backend.ts";
import { rowBytes, type WeightType, weightTypes } from "../../core/dtype.ts";
import { DeviceError } from "../../core/errors.ts";
import { type Bytes, type BytesPerSecond, MiB } from "../../core/units.ts";
import type {
  CpuProfile,
  GpuProfile,
  HardwareProfile,
  LinkProfile,
  ReadSpeeds,
} from "../../placement/hardware.ts";
import { measureLink, measureSplitLayer } from "./link.ts";
import { createProbe, medianSeconds } from "./probe.ts";

export interface MeasureRequest {
  /** Absent: a profile of the processor alone. */
  readonly adapter?: AdapterDescription;
  readonly threads: number | undefined;
}

/** Above the last-level cache of today's desktop processors (64 MB), so that memory is read. */
const cpuBytes: Bytes = 128 * MiB;
/** So much of a type tells whether decoding it is what takes the time: then its speed is the same from memory. */
const decodedBytes: Bytes = 8 * MiB;
/** Of the speed of memory. Rare types without fast kernels would otherwise take half a minute of measuring. */
const decodingShare = 1 / 4;
/** Above the caches of today's cards (72 MB on an RTX 4090). */
const largestGpuBytes: Bytes = 512 * MiB;
const smallestGpuBytes: Bytes = MiB;
/** A run of this length drowns the latency of submitting it. */
const longEnough = 10e-3;
/** Seconds for all types on the GPU: software adapters would take minutes. The types in front are measured first. */
const gpuSeconds = 6;
/** Which types matter most. */
const commonTypes: readonly WeightType[] = ["F16", "Q8_0", "Q4_0", "F32", "Q4_K", "Q6_K"];
/** No card has more: an unknown memory limits no budget. */
const unknownMemory: Bytes = 2 ** 40;
const columns = 4096;

/** Raised whenever something else is measured, or in another way: what older code kept is then measured again. */
const measurementVersion = 3;

/** Names what was measured: another machine, driver, build of the kernels or version of the measurement gives another name. */
export function hardwareIdentity(
  { adapter, threads }: MeasureRequest,
  version: number = measurementVersion,
  build: string | undefined = addonDigest(),
): string {
  const loaded = loadAddon();
  const machine = loaded.kind === "loaded" ? loaded.addon.machine() : undefined;
  const card = adapter && {
    name: adapter.name,
    backend: adapter.backend,
    memory: adapter.memory,
    features: adapter.features,
    maxBufferBytes: adapter.maxBufferBytes,
  };
  const driver = adapter && driverVersion();
  const parts = [
    version,
    build,
    process.platform,
    release(),
    machine?.cpu,
    machine?.kernels,
    threads,
    card,
    driver,
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

/** Kernel modules of cards that say their version, as NVIDIA's does; the others come with the system's release. */
const driverFiles: readonly string[] = ["/sys/module/nvidia/version", "/sys/module/amdgpu/version"];

function driverVersion(): readonly string[] {
  const chosen = process.env["VK_DRIVER_FILES"] ?? process.env["VK_ICD_FILENAMES"] ?? "";
  const versions = driverFiles.map((file) =>
    existsSync(file) ? readFileSync(file, "utf8").trim() : "",
  );
  return [chosen, ...versions];
}

/** @throws DeviceError when the addon is missing: without it there is nothing to plan for. */
export async function measureHardware(request: MeasureRequest): Promise<HardwareProfile> {
  const { adapter, threads } = request;
  const loaded = loadAddon();
  if (loaded.kind === "missing") throw new DeviceError(loaded.reason);
  const cpuName = loaded.addon.machine().cpu;
  using cpu = createCpuBackend(threads === undefined ? {} : { threads });
  const cpuProfile: CpuProfile = {
    name: cpuName,
    threads: cpu.threads,
    readBytesPerSecond: await cpuSpeeds(cpu),
    dispatchSeconds: await layerSeconds(cpu),
    promptFlopsPerSecond: await promptFlops(cpu),
  };
  const common = {
    version: 1,
    origin: "measured",
    identity: hardwareIdentity(request),
    cpu: cpuProfile,
  } as const;
  if (adapter === undefined) {
    return { ...common, name: cpuName, gpu: null, link: noLink, splitLayerSeconds: 0 };
  }
  using gpu = await createWebGpuBackend({ adapter: adapter.name });
  return {
    ...common,
    name: `${adapter.name} with ${cpuName}`,
    gpu: await measureGpu(gpu, adapter),
    link: await measureLink(gpu),
    splitLayerSeconds: await measureSplitLayer({ gpu, cpu }),
  };
}

/** A machine without a card has no link; the planner never asks for its speed. */
const noLink: LinkProfile = {
  uploadLatencySeconds: 0,
  uploadBytesPerSecond: 1,
  downloadLatencySeconds: 0,
  downloadBytesPerSecond: 1,
};

async function cpuSpeeds(cpu: Backend): Promise<ReadSpeeds> {
  const speeds: Partial<Record<WeightType | "default", BytesPerSecond>> = {};
  let fastest = 0;
  for (const type of orderedTypes()) {
    const decoded = fastest === 0 ? undefined : await cpuSpeed(cpu, type, decodedBytes);
    const isDecoding = decoded !== undefined && decoded < fastest * decodingShare;
    const speed = isDecoding ? decoded : await cpuSpeed(cpu, type, cpuBytes);
    fastest = Math.max(fastest, speed);
    speeds[type] = speed;
  }
  return withDefault(speeds);
}

async function cpuSpeed(cpu: Backend, type: WeightType, bytes: Bytes): Promise<BytesPerSecond> {
  const perRow = rowBytes(type, columns);
  const rows = Math.floor(bytes / perRow);
  using probe = await createProbe(cpu, { kind: "product", type, rows, columns });
  return Math.round((rows * perRow) / (await medianSeconds(probe.run)));
}

async function measureGpu(gpu: Backend, adapter: AdapterDescription): Promise<GpuProfile> {
  const startedAt = performance.now();
  const speeds: Partial<Record<WeightType | "default", BytesPerSecond>> = {};
  using empty = await createProbe(gpu, { kind: "nothing" });
  const latency = await medianSeconds(empty.run);
  const maxBytes = Math.min(largestGpuBytes, (adapter.memory ?? unknownMemory) / 4);
  for (const type of orderedTypes()) {
    if (performance.now() - startedAt > 1000 * gpuSeconds) break;
    speeds[type] = await gpuSpeed(gpu, { type, latency, maxBytes });
  }
  return {
    name: adapter.name,
    memoryBytes: adapter.memory ?? unknownMemory,
    readBytesPerSecond: withDefault(speeds),
    dispatchSeconds: await layerSeconds(gpu),
    promptFlopsPerSecond: await promptFlops(gpu),
  };
}

/** Rows of a prompt's step: the default batch. */
const promptRows = 128;
const smallestMatrix = 128;
/** Of so many rows one F16 matrix of 4096 columns takes 128 MiB. */
const largestMatrix = 1 << 14;

/** Multiplications and additions per second of a product with many rows. */
async function promptFlops(backend: Backend): Promise<number> {
  using empty = await createProbe(backend, { kind: "nothing" });
  const latency = await medianSeconds(empty.run, 3);
  for (let rows = smallestMatrix; ; rows *= 8) {
    const product = { kind: "product", type: "F16", rows, columns, vectors: promptRows } as const;
    using probe = await createProbe(backend, product);
    const seconds = (await medianSeconds(probe.run, 3)) - latency;
    if (seconds < longEnough && rows * 8 <= largestMatrix) continue;
    return Math.round((2 * rows * columns * promptRows) / Math.max(seconds, 1e-6));
  }
}

/** Small ops of a decode layer besides its large products: norms, rope and cache, attention, sums. */
const opsPerLayer = 6;
/** Layers' worth of them in a run, so that the run is longer than submitting it varies. */
const dispatchLayers = 16;

/** Seconds of a layer that do not depend on its bytes. */
async function layerSeconds(backend: Backend): Promise<number> {
  using empty = await createProbe(backend, { kind: "nothing" });
  const count = opsPerLayer * dispatchLayers;
  using layers = await createProbe(backend, { kind: "small ops", count, width: columns });
  const seconds = (await medianSeconds(layers.run)) - (await medianSeconds(empty.run));
  return Math.max(0, seconds / dispatchLayers);
}

async function gpuSpeed(
  gpu: Backend,
  of: { readonly type: WeightType; readonly latency: number; readonly maxBytes: Bytes },
): Promise<BytesPerSecond> {
  const { type, latency, maxBytes } = of;
  const perRow = rowBytes(type, columns);
  for (let bytes = smallestGpuBytes; ; bytes *= 8) {
    const rows = Math.floor(Math.min(bytes, maxBytes) / perRow);
    using probe = await createProbe(gpu, { kind: "product", type, rows, columns });
    const seconds = (await medianSeconds(probe.run)) - latency;
    if (seconds >= longEnough || bytes >= maxBytes) {
      return Math.round((rows * perRow) / Math.max(seconds, 1e-6));
    }
  }
}

function orderedTypes(): readonly WeightType[] {
  return [...commonTypes, ...weightTypes.filter((type) => !commonTypes.includes(type))];
}

/** A type that was not measured is taken to be as slow as the slowest that was. */
function withDefault(speeds: ReadSpeeds): ReadSpeeds {
  return { ...speeds, default: Math.min(...Object.values(speeds)) };
}
