/**
 * From a model, a machine and a budget to a placement problem. The formulas are argued in docs/decisions/0003-placement-solver.md.
 * Source of the objective `paper`: PowerInfer (2312.12456), section 6.
 */
import { checkByteSize } from "../core/byte-size.ts";
import { OptionError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";
import type { GpuProfile, HardwareProfile } from "./hardware.ts";
import {
  cpuSeconds,
  type Devices,
  gpuBytes,
  gpuSeconds,
  type LayerProblem,
  layerProblem,
} from "./layer-problem.ts";
import type { PlaceableModel } from "./placeable-model.ts";

export type Objective = "latency" | "paper";
export const objectives: readonly Objective[] = ["latency", "paper"];

export interface PlacementProblem {
  readonly objective: Objective;
  readonly budgetBytes: Bytes;
  /** False when the machine has no GPU: everything is on the CPU whatever the budget. */
  readonly hasGpu: boolean;
  /** Answers that a step goes on with: seconds are of such a step. 1 when left out. */
  readonly rows?: number;
  readonly scratchBytes: Bytes;
  /** Everything on the GPU, exactly; the parts and scratch may add up to more. */
  readonly everythingBytes: Bytes;
  readonly layers: readonly LayerProblem[];
  readonly output: {
    readonly gpuBytes: Bytes;
    readonly gpuSeconds: number;
    readonly cpuSeconds: number;
  };
  /** Seconds per step to enter the GPU, and to leave it with a hidden row or with logits. */
  readonly crossing: {
    readonly enterSeconds: number;
    readonly leaveHiddenSeconds: number;
    readonly leaveLogitsSeconds: number;
  };
}

/**
 * The problem whose solution is a placement.
 * @throws OptionError for a budget that is negative, not whole or larger than the card, or a frequency outside [0, 1].
 */
export function placementProblem(request: {
  readonly model: PlaceableModel;
  readonly hardware: HardwareProfile;
  readonly budgetBytes: Bytes;
  readonly objective: Objective;
}): PlacementProblem {
  const { model, hardware } = request;
  const budgetBytes = checkBudget(request.budgetBytes, hardware);
  const gpu = hardware.gpu ?? withoutGpu;
  const devices: Devices = {
    cpu: hardware.cpu,
    gpu,
    splitSeconds: hardware.splitLayerSeconds,
    allocation: model.gpuAllocationBytes,
    rows: model.rows ?? 1,
    downloadBytesPerSecond: hardware.link.downloadBytesPerSecond,
    dispatches: model.dispatches ?? { split: 1, predicting: 1 },
  };
  const { link } = hardware;
  const leave = (bytes: Bytes): number =>
    link.downloadLatencySeconds + bytes / link.downloadBytesPerSecond;
  return {
    objective: request.objective,
    budgetBytes,
    hasGpu: hardware.gpu !== null,
    rows: devices.rows,
    scratchBytes: model.gpuScratchBytes,
    everythingBytes: model.gpuEverythingBytes,
    layers: model.layers.map((layer) => layerProblem(layer, devices)),
    output: {
      gpuBytes: gpuBytes(model.output, devices.allocation),
      gpuSeconds: gpuSeconds(model.output, gpu),
      cpuSeconds: cpuSeconds(model.output, hardware.cpu),
    },
    crossing: {
      enterSeconds:
        link.uploadLatencySeconds + (devices.rows * model.hiddenBytes) / link.uploadBytesPerSecond,
      leaveHiddenSeconds: leave(devices.rows * model.hiddenBytes),
      leaveLogitsSeconds: leave(devices.rows * model.logitsBytes),
    },
  };
}

/** Stands in for a missing card so that one shape serves; `hasGpu` keeps the solver from using it. */
const withoutGpu: GpuProfile = { name: "none", memoryBytes: 0, readBytesPerSecond: { default: 1 } };

function checkBudget(budget: Bytes, hardware: HardwareProfile): Bytes {
  const option = "vramBudget";
  checkByteSize(budget, option);
  if (hardware.gpu !== null && budget > hardware.gpu.memoryBytes) {
    const memory = formatBytes(hardware.gpu.memoryBytes);
    throw new OptionError(
      option,
      `${formatBytes(budget)} (${budget} bytes)`,
      `at most ${memory} (${hardware.gpu.memoryBytes} bytes), the memory of ${hardware.gpu.name}`,
    );
  }
  return budget;
}
