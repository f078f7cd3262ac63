import { describe, expect, it } from "vitest";
import type { HardwareProfile } from "./hardware.ts";
import type { DeviceId, PlanLayer, PlanPart } from "./plan.ts";
import { promptRule } from "./prompt-path.ts";

/** Bytes per second of the devices, and what they multiply in prompts. */
function machine(speeds: {
  readonly cpu: number;
  readonly gpu: number;
  readonly cpuFlops?: number;
  readonly gpuFlops?: number;
  /** Default: none to speak of. */
  readonly link?: number;
}): HardwareProfile {
  const { cpu, gpu, cpuFlops, gpuFlops, link = 1 } = speeds;
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
      uploadBytesPerSecond: link,
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

const block = { weightsPerUnit: 300, bytesPerUnit: 600, usedShare: 1, type: "F16", maxRows: 128 };

describe("where a prompt's split layers are computed", () => {
  it("is on both devices when the card multiplies faster than the processor", () => {
    const hardware = machine({ cpu: 1e10, gpu: 1e11, cpuFlops: 1e11, gpuFlops: 1e13 });
    expect(promptRule({ ...block, hardware, layers: [layerOf(100, 10)] })).toBe(undefined);
  });

  it("is on the processor alone from so many rows as the card cannot multiply in its time", () => {
    // One token: both read for 6 µs, and the card multiplies its share in 6 µs. Two rows take it 12 µs, and the
    // processor 12 µs for all, which reading bounds up to 20 rows; so from 4 rows the card is behind.
    const hardware = machine({ cpu: 1e10, gpu: 1e10, cpuFlops: 2e11, gpuFlops: 1e10 });
    expect(promptRule({ ...block, hardware, layers: [layerOf(100, 100)] })).toEqual({
      path: "cpu",
      fromRows: 4,
    });
  });

  it("is on both where layers have neurons on one device only, or live on the processor", () => {
    const hardware = machine({ cpu: 1e10, gpu: 1e10, cpuFlops: 2e11, gpuFlops: 1e10 });
    const layers = [layerOf(100, 0), layerOf(0, 100), layerOf(50, 50, "cpu")];
    expect(promptRule({ ...block, hardware, layers })).toBe(undefined);
  });

  it("is on the card, to which cold weights come, from so many rows as the processor cannot multiply in their time", () => {
    // 100 cold neurons cross in 6 µs. The processor reads them in 6 µs, too, and multiplies 16 rows of them in 4.8 µs, 32 in 9.6 µs.
    const hardware = machine({ cpu: 1e10, gpu: 1e11, cpuFlops: 2e11, gpuFlops: 1e13, link: 1e10 });
    const rule = { path: "stream", fromRows: 32 };
    expect(promptRule({ ...block, hardware, layers: [layerOf(100, 100)] })).toEqual(rule);
    expect(promptRule({ ...block, hardware, layers: [layerOf(0, 100)] })).toEqual(rule);
    expect(promptRule({ ...block, hardware, maxRows: 16, layers: [layerOf(100, 100)] })).toBe(
      undefined,
    );
  });

  it("stays with the processor for longer where it computes active neurons alone", () => {
    const hardware = machine({ cpu: 1e10, gpu: 1e11, cpuFlops: 2e11, gpuFlops: 1e13, link: 1e10 });
    const question = { ...block, hardware, layers: [layerOf(0, 100)], maxRows: 2048 };
    // A tenth of the neurons at 2.6 times the cost: of 32 rows and a quarter as much, 128.
    expect(promptRule({ ...question, activeShare: 0.1 })).toEqual({
      path: "stream",
      fromRows: 128,
    });
  });

  it("is so for experts, of which each row wants a few", () => {
    const hardware = machine({ cpu: 1e10, gpu: 1e11, cpuFlops: 2e11, gpuFlops: 1e13, link: 1e10 });
    const layers = [{ ...layerOf(100, 100), unit: "expert" as const }];
    const question = { ...block, hardware, layers, usedShare: 1 / 16, maxRows: 2048 };
    // A sixteenth of the arithmetic: of 16 times as many rows.
    expect(promptRule(question)).toEqual({ path: "stream", fromRows: 512 });
  });

  it("is on both where nobody measured how fast the devices multiply", () => {
    const hardware = machine({ cpu: 1e10, gpu: 1e10 });
    expect(promptRule({ ...block, hardware, layers: [layerOf(50, 50)] })).toBe(undefined);
  });
});
