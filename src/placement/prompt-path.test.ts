import { describe, expect, it } from "vitest";
import type { HardwareProfile } from "./hardware.ts";
import type { DeviceId, PlanLayer, PlanPart } from "./plan.ts";
import { promptOnCpuFrom } from "./prompt-path.ts";

/** Bytes per second of the devices, and what they multiply in prompts. */
function machine(speeds: {
  readonly cpu: number;
  readonly gpu: number;
  readonly cpuFlops?: number;
  readonly gpuFlops?: number;
}): HardwareProfile {
  const { cpu, gpu, cpuFlops, gpuFlops } = speeds;
  return {
    version: 1,
    name: "machine",
    origin: "described",
    cpu: {
      name: "processor",
      threads: 1,
      readBytesPerSecond: { default: cpu },
      ...(cpuFlops !== undefined && { promptFlopsPerSecond: cpuFlops }),
    },
    gpu: {
      name: "card",
      memoryBytes: 1e9,
      readBytesPerSecond: { default: gpu },
      ...(gpuFlops !== undefined && { promptFlopsPerSecond: gpuFlops }),
    },
    link: {
      uploadLatencySeconds: 0,
      uploadBytesPerSecond: 1e9,
      downloadLatencySeconds: 0,
      downloadBytesPerSecond: 1e9,
    },
    splitLayerSeconds: 0,
  };
}

function layerOf(hot: number, cold: number, attentionDevice: DeviceId = "gpu0"): PlanLayer {
  const ids = Uint32Array.from({ length: hot + cold }, (_, id) => id);
  const parts: readonly PlanPart[] = [
    { device: "gpu0", units: ids.subarray(0, hot) },
    { device: "cpu", units: ids.subarray(hot) },
  ];
  return { unit: "neuron", unitCount: hot + cold, attentionDevice, parts };
}

const block = { weightsPerNeuron: 300, bytesPerNeuron: 600, type: "F16", maxRows: 128 };

describe("where a prompt's split layers are computed", () => {
  it("is on both devices when the card multiplies faster than the processor", () => {
    const hardware = machine({ cpu: 1e10, gpu: 1e11, cpuFlops: 1e11, gpuFlops: 1e13 });
    expect(promptOnCpuFrom({ ...block, hardware, layers: [layerOf(100, 10)] })).toBe(undefined);
  });

  it("is on the processor alone from so many rows as the card cannot multiply in its time", () => {
    // One token: both read for 6 µs, and the card multiplies its share in 6 µs. Two rows take it 12 µs, and the
    // processor 12 µs for all, which reading bounds up to 20 rows; so from 4 rows the card is behind.
    const hardware = machine({ cpu: 1e10, gpu: 1e10, cpuFlops: 2e11, gpuFlops: 1e10 });
    expect(promptOnCpuFrom({ ...block, hardware, layers: [layerOf(100, 100)] })).toBe(4);
  });

  it("is on both where layers have neurons on one device only, or live on the processor", () => {
    const hardware = machine({ cpu: 1e10, gpu: 1e10, cpuFlops: 2e11, gpuFlops: 1e10 });
    const layers = [layerOf(100, 0), layerOf(0, 100), layerOf(50, 50, "cpu")];
    expect(promptOnCpuFrom({ ...block, hardware, layers })).toBe(undefined);
  });

  it("is on both where nobody measured how fast the devices multiply", () => {
    const hardware = machine({ cpu: 1e10, gpu: 1e10 });
    expect(promptOnCpuFrom({ ...block, hardware, layers: [layerOf(50, 50)] })).toBe(undefined);
  });
});
