/**
 * Machines described from data sheets, so that plans can be made on a machine without the card.
 * Described, not measured: published memory bandwidth times an efficiency, said beside each number.
 */
import { GiB } from "../core/units.ts";
import type { HardwareProfile } from "./hardware.ts";

/**
 * Share of the published memory bandwidth that a matrix-vector product reaches. GPU 0.75: hand-written
 * kernels reach 0.8 to 0.9 of peak on long rows, decode has short ones too. CPU 0.8: a saturated read of DDR5.
 */
const gpuEfficiency = 0.75;
const cpuEfficiency = 0.8;

/** Share of the PCIe rate (per direction, x16) that copies reach: headers and flow control cost about a fifth. */
const linkEfficiency = 0.8;

/**
 * Latency of one copy and of a split layer's round trip, in seconds. WebGPU spends 80 to 90 µs of a round trip
 * in its own software whatever the card; a discrete card adds two PCIe hops and a queue wake-up, about 30 µs.
 */
const copySeconds = 30e-6;
const splitLayerSeconds = 120e-6;

/** Barriers and launches of the dispatches of one layer: about 12 of 2 µs. */
const dispatchSeconds = 24e-6;

/** The same on the processor: 64 layers of dim 64 take 0.8 ms a token on two Zen 4 cores, their weights 0.2 ms. */
const cpuDispatchSeconds = 10e-6;

interface CardSheet {
  readonly name: string;
  readonly gpu: string;
  readonly memoryGiB: number;
  readonly gpuGigabytesPerSecond: number;
  readonly cpu: string;
  readonly threads: number;
  readonly cpuGigabytesPerSecond: number;
  readonly linkGigabytesPerSecond: number;
}

const sheets: readonly CardSheet[] = [
  {
    // PowerInfer (2312.12456), PC-High: 8 performance cores, 67.2 GB/s, PCIe 4.0.
    name: "rtx-4090",
    gpu: "NVIDIA GeForce RTX 4090",
    memoryGiB: 24,
    gpuGigabytesPerSecond: 1008,
    cpu: "Intel Core i9-13900K",
    threads: 8,
    cpuGigabytesPerSecond: 67.2,
    linkGigabytesPerSecond: 31.5,
  },
  {
    // PowerInfer (2312.12456), PC-Low: 8 performance cores, 38.4 GB/s, PCIe 3.0.
    name: "rtx-2080ti",
    gpu: "NVIDIA GeForce RTX 2080 Ti",
    memoryGiB: 11,
    gpuGigabytesPerSecond: 616,
    cpu: "Intel Core i7-12700K",
    threads: 8,
    cpuGigabytesPerSecond: 38.4,
    linkGigabytesPerSecond: 15.8,
  },
  {
    // DDR4-3200 in two channels, PCIe 4.0.
    name: "rtx-3060",
    gpu: "NVIDIA GeForce RTX 3060",
    memoryGiB: 12,
    gpuGigabytesPerSecond: 360,
    cpu: "AMD Ryzen 5 5600X",
    threads: 6,
    cpuGigabytesPerSecond: 51.2,
    linkGigabytesPerSecond: 31.5,
  },
  {
    // DDR5-5200 in two channels, PCIe 4.0.
    name: "rx-7900-xtx",
    gpu: "AMD Radeon RX 7900 XTX",
    memoryGiB: 24,
    gpuGigabytesPerSecond: 960,
    cpu: "AMD Ryzen 7 7700X",
    threads: 8,
    cpuGigabytesPerSecond: 83.2,
    linkGigabytesPerSecond: 31.5,
  },
  {
    // DDR5-4800 in two channels, PCIe 4.0.
    name: "arc-a770",
    gpu: "Intel Arc A770",
    memoryGiB: 16,
    gpuGigabytesPerSecond: 560,
    cpu: "Intel Core i5-13600K",
    threads: 6,
    cpuGigabytesPerSecond: 76.8,
    linkGigabytesPerSecond: 31.5,
  },
];

/** The machines that ship with the project, by name. */
export const describedCards: ReadonlyMap<string, HardwareProfile> = new Map(
  sheets.map((sheet) => [sheet.name, profileOfSheet(sheet)]),
);

function profileOfSheet(sheet: CardSheet): HardwareProfile {
  const linkSpeed = sheet.linkGigabytesPerSecond * 1e9 * linkEfficiency;
  return {
    version: 1,
    name: `${sheet.name} (described, not measured)`,
    origin: "described",
    cpu: {
      name: sheet.cpu,
      threads: sheet.threads,
      readBytesPerSecond: { default: sheet.cpuGigabytesPerSecond * 1e9 * cpuEfficiency },
      dispatchSeconds: cpuDispatchSeconds,
    },
    gpu: {
      name: sheet.gpu,
      memoryBytes: sheet.memoryGiB * GiB,
      readBytesPerSecond: { default: sheet.gpuGigabytesPerSecond * 1e9 * gpuEfficiency },
      dispatchSeconds,
    },
    link: {
      uploadLatencySeconds: copySeconds,
      uploadBytesPerSecond: linkSpeed,
      downloadLatencySeconds: copySeconds,
      downloadBytesPerSecond: linkSpeed,
    },
    splitLayerSeconds,
  };
}
