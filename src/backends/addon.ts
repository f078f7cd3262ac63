/**
 * What the native addon exports. The only file that knows; where it lies: core/native-addon.ts.
 * A missing addon is an answer, not an exception: the caller says what that means.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { findNative, loadNative } from "../core/native-addon.ts";

/** Something native, meaningless to JavaScript. */
export type Handle = object;

export interface AddonPool {
  readonly handle: Handle;
  /** Name of the instruction set that its kernels use. */
  readonly kernels: string;
  readonly threads: number;
}

/** A program as plain numbers: the records of program-records.ts. */
export interface AddonProgram {
  readonly maxRows: number;
  readonly maxOutputs: number;
  /** The record `kv`. */
  readonly kv: Float64Array;
  /** Records `kvLayer`. */
  readonly kvLayers: Float64Array;
  /** Records `stateLayer`. */
  readonly stateLayers: Float64Array;
  /** A record `slot` for each slot. */
  readonly slots: Float64Array;
  /** Mapped files, memory of the addon, or bytes that stay pinned. */
  readonly sources: readonly (Handle | Uint8Array)[];
  /** A record `weight` for each weight. */
  readonly weights: Float64Array;
  readonly arrays: readonly (Float32Array | Int32Array | Uint32Array | Uint8Array)[];
  readonly segments: readonly Float64Array[];
}

export interface AddonExecutable {
  readonly handle: Handle;
  /** By slot id. */
  readonly outputs: readonly (Float32Array | undefined)[];
  readonly kvBytes: number;
  readonly scratchBytes: number;
  readonly copiedBytes: number;
}

/** Memory that the addon owns: as JavaScript reads it, and as its threads hold it. */
export interface NativeMemory {
  readonly data: Uint8Array;
  readonly handle: Handle;
}

/** The whole machine: machineOf says what of it this process may use. */
export interface AddonMachine {
  readonly cpu: string;
  readonly features: string;
  readonly physicalCores: number;
  /** Physical cores without those that a hybrid processor has for saving energy: as many threads as a pool has by default. */
  readonly performanceCores: number;
  readonly usableCores: number;
  readonly memoryBytes: number;
  readonly availableBytes: number;
  readonly cacheBytes: readonly number[];
  /** Instruction sets that run here, best first, separated by spaces. */
  readonly kernels: string;
}

/** A card as Vulkan's loader describes it. */
export interface AddonGraphicsCard {
  readonly name: string;
  /** VkPhysicalDeviceType: 1 integrated, 2 discrete, 3 virtual, 4 a processor. */
  readonly type: number;
  /** PCI ids. */
  readonly vendor: number;
  readonly device: number;
  /** "" where the driver does not say. */
  readonly driver: string;
  /** "0000:01:00.0", or "". */
  readonly pci: string;
  readonly memoryBytes: number;
  /** Absent where the driver does not say. */
  readonly freeBytes?: number;
}

export interface Addon {
  /** Undefined for an instruction set that is unknown or cannot run here. */
  /** `threads` of the result are fewer where the system gives no more. */
  createPool(
    threads: number,
    kernels: string | undefined,
    areInputsExact: number,
  ): AddonPool | undefined;
  disposePool(pool: Handle): void;
  /**
   * 1: the file is mapped, its pages are locked in memory; 0: it is read, they are not. A string says why the file could
   * not be had; `lockError` why its pages are not locked.
   */
  openFile(
    path: string,
    isMapped: number,
    isLocked: number,
  ): { readonly handle: Handle; readonly bytes: number; readonly lockError?: string } | string;
  /**
   * Moves stretches of a mapped file, begin and end of each, into huge pages behind whoever reads them, 1: as fast as
   * it can, 0: with a tenth of a core. Returns how many bytes that are; 0 for a second call for the file.
   */
  moveToHugePages(file: Handle, stretches: Float64Array, isAtOnce: number): number;
  /** How many of them are left: none at the end. */
  bytesToMove(file: Handle): number;
  closeFile(file: Handle): void;
  prepare(pool: Handle, program: AddonProgram): AddonExecutable;
  /**
   * Before the first run, where memory is scarce: of the weights that every step reads whole, `kept` bytes stay in memory, the
   * others are read ahead, up to `window` bytes, and dropped after use. Returns how many bytes do not stay: 0 too where the system cannot.
   */
  streamWeights(executable: Handle, kept: number, window: number): number;
  disposeExecutable(executable: Handle): void;
  run(
    executable: Handle,
    segment: number,
    rowCount: number,
    sequence: Int32Array,
    position: Int32Array,
    token: Int32Array,
    outputCount: number,
    outputRow: Int32Array,
    watchedRows: number,
    shownRow: number,
    shownOutput: number,
  ): Promise<void>;
  write(executable: Handle, slot: number, data: Float32Array): void;
  copySequence(executable: Handle, from: number, to: number, length: number): Promise<void>;
  /** States of recurrent layers, by their places: those of the sequences, then the checkpoints. */
  copyState(executable: Handle, from: number, to: number): Promise<void>;
  /** Numbers: 0 keys, 1 values or 2 a state; layer, place, first position, count; 1: to `bytes`, 0: from them. */
  moveState(executable: Handle, numbers: Float64Array, bytes: Uint8Array): Promise<void>;
  /** The block, by the program's order of blocks, computes these neurons of its weights from now on; their number stays. */
  replaceSubset(executable: Handle, block: number, neurons: Uint32Array): Promise<void>;
  /** layer, active, rows, neurons, bytes touched, predictor ms, ms of each block */
  ffnCounts(executable: Handle): readonly number[];
  /** rows, channels, bytes touched, bytes dense of each matmul with channels, in the program's order */
  channelCounts(executable: Handle): readonly number[];
  /** Of each block in the program's order: rows, and of these the active ones by candidate; absent before the first. */
  neuronCounts(
    executable: Handle,
  ): readonly { readonly rows: number; readonly active?: Uint32Array }[];
  /** Of the blocks, and the experts (ofExperts 1), that showed a row since the last call. */
  activeSets(executable: Handle): readonly {
    readonly layer: number;
    readonly ofExperts: number;
    readonly ids: Uint32Array;
  }[];
  machine(): AddonMachine;
  /** Empty where there is no Vulkan. */
  graphicsCards(): readonly AddonGraphicsCard[];
  /** Bytes per second. */
  measureRead(pool: Handle, bytes: number): Promise<number>;
  transposeWeight(
    pool: Handle,
    source: Handle | Uint8Array,
    type: number,
    rows: number,
    columns: number,
    offset: number,
    targetType: number,
  ): Promise<NativeMemory>;
  /** Runs `work`. Returns what other libraries wrote to stderr meanwhile, which does not reach the terminal. */
  quietly(work: () => void): string;
  /** c = alpha·op(a)·op(b) + beta·c; 1: the transpose of the matrix. Numbers: rows, columns, depth, alpha, beta. */
  sgemm(
    pool: Handle,
    a: Float32Array,
    isATransposed: number,
    b: Float32Array,
    isBTransposed: number,
    c: Float32Array,
    numbers: Float64Array,
  ): Promise<void>;
  /**
   * Rows of a weight into a graphics card's layout: row places[i] of the source becomes row i of the target. Numbers:
   * rows, bytes of a row in the source and in the target, blocks of a row, regrouping (0 none, 1 nibbles, 2 bytes),
   * then for each plane: first byte in a block, bytes, first byte in a target row.
   */
  packRows(
    pool: Handle,
    numbers: Float64Array,
    source: Uint8Array,
    places: Uint32Array,
    target: Uint8Array,
  ): Promise<void>;
  /**
   * Blocks of one type into blocks of another. Numbers: ids of the types, elements, columns, the column of the first
   * element, the magnitude from which values are refused. Gives the first refused element; `elements` without one.
   */
  quantise(
    pool: Handle,
    source: Uint8Array,
    target: Uint8Array,
    importance: Float32Array | undefined,
    numbers: Float64Array,
  ): Promise<number>;
}

export type AddonResult =
  | {
      readonly kind: "loaded";
      readonly addon: Addon;
      /** "compiled here", or its package with the version. */
      readonly origin: string;
    }
  /** `reason` is one line that says how to get it. */
  | { readonly kind: "missing"; readonly reason: string };

/** @throws HearthError in a bundle. */
export function loadAddon(): AddonResult {
  const native = loadNative();
  if (native.kind === "missing") return native;
  const addon: Addon = native.exports;
  return { kind: "loaded", addon, origin: native.origin };
}

/** Of its bytes: another build has other kernels, which are not as fast. Undefined where there is no addon. */
export function addonDigest(): string | undefined {
  const native = findNative();
  if (native.kind === "missing") return undefined;
  return createHash("sha256").update(readFileSync(native.path)).digest("hex");
}
