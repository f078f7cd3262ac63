/** A recording with the device's objects: what an executable runs. */
import type { GpuCounts } from "../executable-report.ts";
import type { OpenDevice } from "./device.ts";
import type { BufferSpec, KernelCall } from "./kernel.ts";
import type { Compiled, Kernel, Pipelines } from "./pipelines.ts";
import type { Recording } from "./recording.ts";
import { isWanted, type RunShape } from "./run-shape.ts";
import type { CutSizes } from "./submission-cuts.ts";
import { workOf } from "./work.ts";

/** A kernel call with the device's objects. */
export interface ReadyCall {
  readonly call: KernelCall;
  readonly kernel: Kernel;
  readonly bindGroup: GPUBindGroup;
}

export interface ReadyProgram {
  readonly recording: Recording;
  readonly open: OpenDevice;
  readonly pipelines: Pipelines;
  readonly gpu: ReadonlyMap<BufferSpec, GPUBuffer>;
  /** By segment. */
  readonly calls: readonly (readonly ReadyCall[])[];
  /** One for each buffer of keys or values. */
  readonly copySequence: readonly ReadyCall[];
  /** Of these, those of layers that keep checkpoints. */
  readonly copyRings: readonly ReadyCall[];
  /** One for each layer with a state of fixed size. */
  readonly copyState: readonly ReadyCall[];
  readonly cuts?: CutSizes;
  /** What compile compiled. */
  readonly compiled: Compiled;
}

/** Whether all kernels are there that a step of this shape needs. */
export function isCompiled(calls: readonly ReadyCall[], shape: RunShape): boolean {
  for (const { call, kernel } of calls) {
    if (kernel.pipeline === undefined && isWanted(call, shape)) return false;
  }
  return true;
}

export function missingKernels(calls: readonly ReadyCall[], shape: RunShape): readonly Kernel[] {
  const missing: Kernel[] = [];
  for (const { call, kernel } of calls) {
    if (kernel.pipeline === undefined && isWanted(call, shape)) missing.push(kernel);
  }
  return missing;
}

/** Of all calls that a step of this shape makes. */
export function stepWork(calls: readonly ReadyCall[], shape: RunShape): number {
  let work = 0;
  for (const { call } of calls) if (isWanted(call, shape)) work += workOf(call, shape);
  return work;
}

/** What making it took. */
export function loadCounts(
  ready: ReadyProgram,
): Pick<GpuCounts, "bindGroups" | "buffers" | "bytesUploaded"> {
  const { recording, calls, copySequence, copyRings, copyState } = ready;
  const { buffers } = recording;
  return {
    bindGroups: [...calls, copySequence, copyRings, copyState].flat().length,
    buffers: buffers.length,
    bytesUploaded: buffers.reduce(
      (sum, { contents, bytes }) => sum + (contents.length === 0 ? 0 : bytes),
      0,
    ),
  };
}
