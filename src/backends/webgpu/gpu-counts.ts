/** What an executable asked of the GPU, as counts that can be asserted and added up. */
import type { Bytes, Milliseconds, Tokens } from "../../core/units.ts";

/** Events since the last call of gpuCounts. */
export interface GpuCounts {
  readonly runs: number;
  readonly submits: number;
  readonly dispatches: number;
  /** Bind groups created; after compile none are. */
  readonly bindGroups: number;
  /** Buffers created; after compile only when more runs of a segment are on the way than its staging ring holds. */
  readonly buffers: number;
  readonly bytesUploaded: Bytes;
  readonly bytesReadBack: Bytes;
  /** Compiled: those of one-row steps by compile, others when a step first needs them. */
  readonly pipelines: number;
  readonly pipelineMilliseconds: Milliseconds;
}

/** What an executable was asked for while loading, and for each kind of step. */
export interface GpuUse {
  /** Bytes held on the card: weights, cache, scratch and staging. */
  readonly bytes: Bytes;
  readonly load: GpuCounts;
  readonly prompt: StepUse;
  readonly decode: StepUse;
}

/** Sums over steps. `tokens` are rows read. */
export interface StepUse extends GpuCounts {
  readonly tokens: Tokens;
}

export const noGpuCounts: GpuCounts = {
  runs: 0,
  submits: 0,
  dispatches: 0,
  bindGroups: 0,
  buffers: 0,
  bytesUploaded: 0,
  bytesReadBack: 0,
  pipelines: 0,
  pipelineMilliseconds: 0,
};
