/**
 * What every backend is: it compiles a program once and then runs its segments, step after step.
 * Untrusted values are judged before they come here (compile checks shapes once); run checks nothing and allocates nothing.
 * Source of the cut: jax-js backend.ts (compile, then dispatch).
 */
import type { RowType } from "../core/dtype.ts";
import type { MultiplyMatrices } from "../core/matrix-product.ts";
import type { Bytes, Milliseconds, Tokens } from "../core/units.ts";
import type { BlockRef } from "../ops/block-ref.ts";
import type { Slot, Weight } from "../ops/op.ts";
import type { Program, Step } from "../ops/program.ts";
import type { StatePart } from "../ops/state-parts.ts";
import type { ExecutableReport, TimelineEvent } from "./executable-report.ts";

export interface LoadProgress {
  readonly done: Bytes;
  readonly total: Bytes;
}

export interface CompileOptions {
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Called with the number of kernels that are compiled while weights are loaded; not called if there are none. */
  readonly onCompile?: (kernels: number) => void;
  readonly signal?: AbortSignal;
}

/** True bytes of an executable, by what they are for. */
export interface MemoryUse {
  /** Weights mapped from the file: shared with the page cache, dropped by the system when needed. */
  readonly mappedWeights: Bytes;
  /** Weights copied (uploaded, transposed, repacked). */
  readonly copiedWeights: Bytes;
  readonly kvCache: Bytes;
  readonly scratch: Bytes;
}

/** What one FFN op, or the experts of a layer, did in the last run of a step, summed over its rows. */
export interface FfnCounts extends BlockRef {
  /** Row–neuron pairs computed, of rows × neurons. */
  readonly active: number;
  readonly rows: number;
  /** Of experts: those of all of them. */
  readonly neurons: number;
  /** Weight bytes of the block that were read, predictor included. */
  readonly bytesTouched: Bytes;
  /** Absent where the device does not time single ops or their parts. */
  readonly predictorTime?: Milliseconds;
  readonly time?: Milliseconds;
}

/** How often single neurons of an FFN op were active, in the answers' rows of steps that read no prompt. */
export interface NeuronCounts {
  readonly layer: number;
  /** Rows in which the neurons were watched. */
  readonly rows: number;
  /** Ids of the neurons that this op computes. */
  readonly neurons: Uint32Array;
  /** For each of these neurons: in how many of the rows it was active. */
  readonly active: Uint32Array;
}

/** The active set of one row: ids of neurons of a layer's block, or of its experts, rising. */
export interface ActiveSet extends BlockRef {
  readonly ids: Uint32Array;
}

/** What a step did for the row that it showed. */
export interface ShownRow {
  /** In order of layer. Blocks are absent that compute all neurons, or do not count single ones. */
  readonly sets: readonly ActiveSet[];
  /** What two devices did when, of that step alone; empty where one runs the whole program. */
  readonly timeline: readonly TimelineEvent[];
}

/** What one matmul with channels read, summed over its runs. */
export interface ChannelCounts {
  readonly rows: number;
  /** Row–channel pairs read, of rows × width of x: all where the rows of the weight were read instead. */
  readonly channels: number;
  /** Weight bytes read, of the copy or of the rows. */
  readonly bytesTouched: Bytes;
  /** Bytes of all rows of the weight, once for each run. */
  readonly bytesDense: Bytes;
}

/** Whose state it is: a sequence's, or the checkpoint's in slot i, which is kv.sequences + i, behind so many tokens. */
export interface StatePlace {
  readonly place: number;
  readonly length: Tokens;
}

/** Swaps neurons, or experts, of one layer: `to[i]` takes the place of `from[i]`. The lists are equally long and share none. */
export interface NeuronChange extends BlockRef {
  /** Neurons that were computed so far. */
  readonly from: Uint32Array;
  /** Neurons that are computed from now on. */
  readonly to: Uint32Array;
}

/** "unread": nobody asks for the outputs of this run, which a device may then leave where they are. */
export type OutputUse = "read" | "unread";

/**
 * A compiled program. Every executable has every method: where a device lacks something, a fact says so, and the method
 * returns nothing, or rejects. Decorators extend ForwardingExecutable.
 */
export interface Executable extends Disposable {
  readonly memory: MemoryUse;
  /** What it counts of feed-forward blocks: sums over each block, or each neuron too (`neuronCounts`). */
  readonly counts: "blocks" | "neurons";
  /** Whether blocks with a subset may compute other neurons later (`replaceNeurons`). */
  readonly canReplaceNeurons: boolean;
  /**
   * Runs one segment over the rows. Resolves when its outputs are on the host. May be called again before
   * that: segments run in the order of the calls, and `step` is read before run returns. Rejects with HearthError for a
   * row of a recurrent layer that does not follow the state of its sequence (StatePositions): a state cannot go back.
   * `outputs`: default "read".
   */
  run(segment: number, step: Step, outputs?: OutputUse): Promise<void>;
  /** Host copy of a slot that is an output of a segment: [its rows, width], valid until that segment runs again. */
  output(slot: Slot): Float32Array;
  /** Replaces the first `data.length` elements of a slot; ordered like run. */
  write(slot: Slot, data: Float32Array): void;
  /**
   * `to` goes on from position `length` as `from` would: the states of its layers become those of `from`, which is
   * unchanged. `length` is one from which `from` can go on: see `restorableFrom` in ops/kv-shape.ts. A recurrent state that
   * does not stand at `length` is not copied: `to` has none until one is restored, or its rows begin at position 0.
   */
  copySequence(from: number, to: number, length: number): Promise<void>;
  /**
   * Keeps a copy of the states of a sequence's recurrent layers, as the runs so far have left them, in a slot below
   * `kv.checkpoints`; ordered like run. Keys and values are not in it: those before the position stay where they are.
   * Rejects with HearthError where the sequence has no state, RangeError for a slot that is not there.
   */
  saveState(sequence: number, slot: number): Promise<void>;
  /**
   * Puts saved states into a sequence, which may be another one than they were saved of: it goes on at the position where
   * they stood. The slot keeps them. Rejects with HearthError for a slot in which nothing was saved.
   */
  restoreState(slot: number, sequence: number): Promise<void>;
  /**
   * What a layer holds, as bytes that every device reads alike (ops/state-parts.ts); ordered like run. The layer holds
   * these positions: the caller knows what it has stored.
   */
  readState(at: StatePlace, part: StatePart): Promise<Uint8Array>;
  /** The opposite. When all parts of a place are written, its layers go on behind `at.length` tokens. */
  writeState(at: StatePlace, part: StatePart, bytes: Uint8Array): Promise<void>;
  /** Resolves when every run so far has ended, of segments without outputs too. A run that fails rejects its own promise. */
  finished(): Promise<void>;
  /** Counts of the FFN ops, and of experts, since the last call of this function, in order of layer. */
  ffnCounts(): readonly FfnCounts[];
  /** Counts since the last call; the counting starts with the first one. Empty where `counts` is "blocks". */
  neuronCounts(): Promise<readonly NeuronCounts[]>;
  /** Of the last step that showed a row (`Step.shownRow`), once; nothing is kept of other steps. */
  shownRow(): Promise<ShownRow>;
  /** Counts of the matmuls with channels since the last call, in the program's order. Empty where channels are ignored. */
  channelCounts(): readonly ChannelCounts[];
  /**
   * A block with a subset, or a part of a layer's experts, computes others from the next run on, in the same memory. What was counted belongs to
   * the neurons before: counts are taken first. Rejects with UnsupportedError unless `canReplaceNeurons`.
   */
  replaceNeurons(change: NeuronChange): Promise<void>;
  /** What it did since it was compiled. */
  report(): Promise<ExecutableReport>;
}

/** Work on whole matrices, beside any program. plain-matrices.ts has it for backends that have nothing faster. */
export interface MatrixWork {
  /** W^T in another type, in memory. @throws ShapeError when a transposed row is not a whole number of blocks. */
  readonly transpose: (weight: Weight, type: TransposedType) => Promise<Weight>;
  /** C = op(A)·op(B) in f32. */
  readonly multiply: MultiplyMatrices;
}

/** Types that a transposed row can be written in. */
type TransposedType = RowType | "Q4_0";

export interface Backend extends MatrixWork, Disposable {
  /** For people: "cpu (avx512, 2 threads)". */
  readonly description: string;
  /** @throws UnsupportedError for a weight type or method that this backend lacks; LimitError when memory does not suffice. */
  compile(program: Program, options?: CompileOptions): Promise<Executable>;
}
