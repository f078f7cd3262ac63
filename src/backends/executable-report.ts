/**
 * What an executable says about its work since it was compiled: plain data, so that it crosses threads unchanged.
 * Each part is there where a device made it: the requests to a GPU, the work of two devices, the intervals of steps.
 */
import type { Bytes, Milliseconds, Tokens } from "../core/units.ts";
import type { RowPurpose } from "../ops/program.ts";

export interface ExecutableReport {
  /** Absent where no GPU is used. */
  readonly gpu?: GpuUse;
  /** Absent where one device runs the whole program. */
  readonly hybrid?: HybridStats;
  /** The intervals of every step so far; empty unless the executable keeps them. */
  readonly timeline: readonly TimelineEvent[];
}

/** What a GPU was asked to do. */
export interface GpuCounts {
  readonly runs: number;
  readonly submits: number;
  readonly dispatches: number;
  /** Bind groups created; after compile none are. */
  readonly bindGroups: number;
  /** Buffers created; after compile only when more runs of a segment are on the way than its staging ring holds. */
  readonly buffers: number;
  readonly bytesUploaded: Bytes;
  /** Of those: weights that the card does not keep, brought for a prompt. */
  readonly bytesStreamed: Bytes;
  readonly bytesReadBack: Bytes;
  /** Compiled: those of one-row steps by compile, others when a step first needs them. */
  readonly pipelines: number;
  readonly pipelineMilliseconds: Milliseconds;
}

/** What a GPU was asked to do while loading, and in steps of each purpose. */
export interface GpuUse {
  /** Bytes held on the card: weights, cache, scratch and staging. */
  readonly bytes: Bytes;
  readonly load: GpuCounts;
  readonly steps: Readonly<Record<RowPurpose, StepUse>>;
}

/** Sums over steps. `tokens` are rows read, without proposals. */
export interface StepUse extends GpuCounts {
  readonly tokens: Tokens;
}

/** Sums over the steps of two devices. */
export interface HybridStats {
  /** Of all active neurons so far, the share that the GPU computed, 0 to 1. */
  readonly gpuActivationShare: number;
  readonly gpuBytes: Bytes;
  /** Times a token waited for a slot to come back from the other device. Steps of answers, if there were any. */
  readonly synchronisationsPerToken: number;
  readonly gpuMillisecondsPerToken: Milliseconds;
  readonly cpuMillisecondsPerToken: Milliseconds;
  /** Neither device computed: copies, latency, JavaScript. */
  readonly waitingMillisecondsPerToken: Milliseconds;
  /** Of the last prompt. Absent before there was one. */
  readonly promptPath?: PromptPath;
  /** Groups of neurons, or experts, that have changed places, where the engine adapts. */
  readonly exchangedGroups: number;
}

/**
 * How split layers of a prompt are computed. "split": each device its own neurons, or experts. "cpu": the CPU all neurons.
 * "stream": the card all of them, to which the cold ones come piece by piece.
 */
export type PromptPath = "split" | "cpu" | "stream";

export type Track = "gpu" | "cpu" | "link";

/** Times are milliseconds of performance.now() in the thread that ran the step. */
export interface TimelineEvent {
  readonly track: Track;
  readonly name: string;
  readonly step: number;
  readonly start: Milliseconds;
  readonly end: Milliseconds;
}
