/**
 * The CPU backend: programs run by the native addon, on threads of its own, off the JavaScript thread.
 * Weights stay where they lie in the mapped file.
 */

import { checkValue } from "../../core/check-options.ts";
import { DeviceError, HearthError, LimitError, UnsupportedError } from "../../core/errors.ts";
import { type Bytes, formatBytes } from "../../core/units.ts";
import type { Slot } from "../../ops/op.ts";
import { type Program, type Step, watchedRows } from "../../ops/program.ts";
import { changeableSubsets, changedSubset, opsOfKind } from "../../ops/program-ops.ts";
import type { StatePart } from "../../ops/state-parts.ts";
import type { ConvertBlocks } from "../../quant/convert-blocks.ts";
import {
  type Addon,
  type AddonExecutable,
  type AddonPool,
  type Handle,
  loadAddon,
} from "../addon.ts";
import type { Backend, CompileOptions, Executable, MemoryUse, NeuronChange } from "../backend.ts";
import { threadsRule } from "../machine-rules.ts";
import { StatePositions } from "../state-positions.ts";
import { nativeConversion } from "./convert-blocks.ts";
import { activeSets, channelCounts, ffnCounts, neuronCounts } from "./counts.ts";
import { type LoweredProgram, lowerProgram } from "./lower.ts";
import { machineOf } from "./machine.ts";
import { createMappedFiles, type FileUse, fileUse, type MappedFiles } from "./mapped-files.ts";
import { memoryNotice, scarceMemory } from "./scarce-memory.ts";
import { nativeProduct } from "./sgemm.ts";
import { createTopKOutputs, type WithoutTopK, withoutTopK } from "./top-k.ts";
import { transposeWeight } from "./transpose.ts";

export interface CpuBackendOptions {
  /** Default: one for each physical core that this process may use. */
  readonly threads?: number;
  /** "scalar", "avx2", "avx512" or "neon"; default: the best that runs here. */
  readonly isa?: string;
  /** Whether the inputs of quantised weights stay f32, in place of being rounded to eight bits. Default false: several times faster. */
  readonly exact?: boolean;
  /** How files with weights come into memory. Default: as an engine's. */
  readonly files?: FileUse;
  /** Default: what the system and its control groups would give to this process now. */
  readonly availableBytes?: Bytes;
}

export interface CpuBackend extends Backend {
  /** Those that run: fewer than were asked for where the system gives no more, and then a notice says so. */
  readonly threads: number;
  /** What the user should know, one sentence each; grows while programs are compiled. */
  readonly notices: readonly string[];
  readonly isa: string;
  readonly convert: ConvertBlocks;
  /** Bytes per second that the threads read from memory no cache holds: the roof of decode. */
  measureRead(): Promise<number>;
}

/** Four times the largest last-level cache of today's desktop processors (64 MB). */
const measuredBytes = 256 * 1024 * 1024;

/** @throws DeviceError when the addon is missing, UnsupportedError for an instruction set that this machine lacks. */
export function createCpuBackend(options: CpuBackendOptions = {}): CpuBackend {
  const { threads, isa, exact = false, files: use = fileUse({}) } = options;
  const loaded = loadAddon();
  if (loaded.kind === "missing") throw new DeviceError(loaded.reason);
  const { addon } = loaded;
  const machine = machineOf(addon);
  const count = threads ?? machine.performanceCores;
  checkValue(count, "threads", threadsRule);
  const pool = createPool(addon, count, { isa, exact });
  if (pool === undefined) {
    throw new UnsupportedError(`instruction set ${isa}`, machine.kernels.split(" "));
  }
  const files = createMappedFiles(addon, use);
  const threadNotices = pool.threads < count ? [fewerThreads(count, pool.threads)] : [];
  const memoryNotices: string[] = [];
  const native: Native = {
    addon,
    pool,
    files,
    available: () => options.availableBytes ?? machineOf(addon).availableBytes,
    // Locked pages stay, and a copy of our own is memory that the system has given.
    canLosePages: use.access === "map" && !use.isLocked,
    notice: (sentence) => memoryNotices.push(sentence),
  };
  return {
    description: describe(pool, exact),
    get notices() {
      return [...threadNotices, ...files.notices, ...memoryNotices];
    },
    threads: pool.threads,
    isa: pool.kernels,
    transpose: transposeWeight(addon, pool, files),
    multiply: nativeProduct(addon, pool),
    convert: nativeConversion(addon, pool),
    measureRead: () => addon.measureRead(pool.handle, measuredBytes),
    compile: (program, options) => compile(native, program, options),
    [Symbol.dispose]: () => {
      files.close();
      addon.disposePool(pool.handle);
    },
  };
}

interface Native {
  readonly addon: Addon;
  readonly pool: AddonPool;
  readonly files: MappedFiles;
  readonly available: () => Bytes;
  /** Whether the system may drop pages of weights and read them again. */
  readonly canLosePages: boolean;
  readonly notice: (sentence: string) => void;
}

async function compile(
  native: Native,
  program: Program,
  options: CompileOptions = {},
): Promise<Executable> {
  options.signal?.throwIfAborted();
  const cut = withoutTopK(program);
  const lowered = lowerProgram(cut.program, native.files);
  const total = lowered.weightBytes.mapped + lowered.weightBytes.copied;
  const executable = compileNatively(native, () =>
    native.addon.prepare(native.pool.handle, lowered.program),
  );
  // What the executable has not written to yet is not available, though the system counts it so.
  const { kvBytes, scratchBytes } = executable;
  const available = native.available() - kvBytes - scratchBytes;
  const scarce = scarceMemory(lowered.weightBytes.mapped, available);
  if (native.canLosePages && scarce !== undefined) {
    const { kept, window } = scarce;
    const streamed = native.addon.streamWeights(executable.handle, kept, window);
    native.notice(memoryNotice(scarce, streamed));
  }
  const moved = await moveToHugePages(native, lowered, executable, {
    available,
    signal: options.signal,
  });
  options.onProgress?.({ done: total, total });
  const { mapped, copied } = lowered.weightBytes;
  const mappedWeights = native.files.access === "map" ? Math.max(0, mapped - moved) : 0;
  const memory: MemoryUse = {
    mappedWeights,
    copiedWeights: copied + (mapped - mappedWeights) + executable.copiedBytes,
    kvCache: executable.kvBytes,
    scratch: executable.scratchBytes,
  };
  return createExecutable(native.addon, cut, executable, memory);
}

/** How many bytes. */
async function moveToHugePages(
  { addon, files }: Native,
  { stretches }: LoweredProgram,
  { handle }: AddonExecutable,
  { available, signal }: { readonly available: Bytes; readonly signal: AbortSignal | undefined },
): Promise<number> {
  try {
    return await files.moveToHugePages(stretches, available, signal);
  } catch (error) {
    addon.disposeExecutable(handle);
    throw error;
  }
}

/** @throws LimitError when the system gives no thread at all. */
function createPool(
  addon: Addon,
  count: number,
  { isa, exact }: { readonly isa: string | undefined; readonly exact: boolean },
): AddonPool | undefined {
  try {
    return addon.createPool(count, isa, exact ? 1 : 0);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new LimitError(
      `no thread could be started (${why}); raise the limits on processes and memory (ulimit -u, ulimit -v), or close other programs`,
    );
  }
}

function describe({ kernels, threads }: AddonPool, exact: boolean): string {
  return `cpu (${kernels}${exact ? ", exact" : ""}, ${threads} thread${threads === 1 ? "" : "s"})`;
}

function fewerThreads(asked: number, given: number): string {
  return `threads: ${asked} were asked for and the system started ${given}; its limits on processes or memory (ulimit -u, ulimit -v) allow no more`;
}

/** @throws LimitError when the system has no memory for the cache and scratch. */
function compileNatively(native: Native, make: () => AddonExecutable): AddonExecutable {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "ENOMEM") throw error;
    const available = formatBytes(native.available());
    throw new LimitError(
      `not enough memory for the KV cache and scratch (${available} available); use a smaller context`,
    );
  }
}

function createExecutable(
  addon: Addon,
  cut: WithoutTopK,
  executable: AddonExecutable,
  memory: MemoryUse,
): Executable {
  const { handle } = executable;
  let isDisposed = false;
  const checkOpen = (): void => {
    if (isDisposed) throw new HearthError("the executable is disposed");
  };
  return {
    memory,
    counts: "neurons",
    canReplaceNeurons: true,
    report: async () => ({ timeline: [] }),
    ...createRunning(addon, cut, executable, checkOpen),
    ...createCounting(addon, cut.program, handle, checkOpen),
    [Symbol.dispose]: () => {
      if (isDisposed) return;
      isDisposed = true;
      addon.disposeExecutable(handle);
    },
  };
}

/** More than a step has: kNoRow of native/runtime/stage.h. */
const noRow = 0xffffffff;

/** What an executable is for. */
function createRunning(
  addon: Addon,
  cut: WithoutTopK,
  { handle, outputs }: AddonExecutable,
  checkOpen: () => void,
): Pick<
  Executable,
  | "run"
  | "output"
  | "write"
  | "copySequence"
  | "saveState"
  | "restoreState"
  | "readState"
  | "writeState"
  | "finished"
> {
  const host = createHostOutputs(cut, outputs);
  const positions = new StatePositions(cut.program);
  const run = async (segment: number, step: Step): Promise<void> => {
    checkOpen();
    positions.advance(segment, step);
    const { rowCount, sequence, position, token, outputCount, outputRow } = step;
    const watched = watchedRows(step);
    await addon.run(
      handle,
      segment,
      rowCount,
      sequence,
      position,
      token,
      outputCount,
      outputRow,
      watched,
      step.shownRow < 0 ? noRow : step.shownRow,
      step.shownOutput < 0 ? noRow : step.shownOutput,
    );
    host.ran(segment, { rowCount, outputCount });
  };
  // Runs end in the order of the calls.
  let last: Promise<void> = Promise.resolve();
  return {
    run: (segment, step) => {
      last = run(segment, step);
      return last;
    },
    finished: () => last,
    output: host.output,
    write: (slot, data) => {
      checkOpen();
      addon.write(handle, slot.id, data);
    },
    copySequence: async (from, to, length) => {
      checkOpen();
      positions.copy(from, to, length);
      await addon.copySequence(handle, from, to, length);
    },
    saveState: async (sequence, slot) => {
      checkOpen();
      await addon.copyState(handle, sequence, positions.save(sequence, slot));
    },
    restoreState: async (slot, sequence) => {
      checkOpen();
      await addon.copyState(handle, positions.restore(slot, sequence), sequence);
    },
    readState: async ({ place }, part) => {
      checkOpen();
      const bytes = new Uint8Array(part.bytes);
      await addon.moveState(handle, stateMove(place, part, "to host"), bytes);
      return bytes;
    },
    writeState: async ({ place, length }, part, bytes) => {
      checkOpen();
      positions.wrote(place, part.layer, length);
      await addon.moveState(handle, stateMove(place, part, "from host"), bytes);
    },
  };
}

function stateMove(
  place: number,
  part: StatePart,
  direction: "to host" | "from host",
): Float64Array {
  const kind = { keys: 0, values: 1, state: 2 }[part.kind];
  const { first, count } = part.kind === "state" ? { first: 0, count: 0 } : part;
  return Float64Array.of(kind, part.layer, place, first, count, Number(direction === "to host"));
}

/** The counts of its ops, and the methods of Executable that change with them. */
function createCounting(
  addon: Addon,
  program: Program,
  handle: Handle,
  checkOpen: () => void,
): Pick<
  Executable,
  "ffnCounts" | "channelCounts" | "neuronCounts" | "shownRow" | "replaceNeurons"
> {
  return {
    ffnCounts: () => ffnCounts(addon.ffnCounts(handle)),
    channelCounts: () => channelCounts(addon.channelCounts(handle)),
    neuronCounts: async () => {
      checkOpen();
      return neuronCounts(program, addon.neuronCounts(handle));
    },
    shownRow: async () => {
      checkOpen();
      return { sets: activeSets(addon.activeSets(handle)), timeline: [] };
    },
    replaceNeurons: async (change) => {
      checkOpen();
      await replaceSubsets(program, change, (block, neurons) =>
        addon.replaceSubset(handle, block, neurons),
      );
    },
  };
}

/** What the host reads of the last runs. */
interface HostOutputs {
  ran(segment: number, step: Pick<Step, "rowCount" | "outputCount">): void;
  output(slot: Slot): Float32Array;
}

function createHostOutputs(
  { program, topK }: WithoutTopK,
  outputs: AddonExecutable["outputs"],
): HostOutputs {
  const largest = createTopKOutputs(topK.flat(), program);
  /** Elements of each output that the last run of its segment wrote. */
  const written = new Map<number, number>();
  const read = (slot: Slot): Float32Array => {
    const data = outputs[slot.id];
    if (data === undefined)
      throw new HearthError(`slot ${slot.name} is not an output of any segment`);
    return data.subarray(0, written.get(slot.id) ?? 0);
  };
  return {
    ran: (segment, { rowCount, outputCount }) => {
      for (const slot of program.segments[segment]?.outputs ?? []) {
        written.set(slot.id, slot.width * (slot.rows === "outputs" ? outputCount : rowCount));
      }
      for (const op of topK[segment] ?? []) largest.fill(op, read(op.x));
    },
    output: (slot) => largest.output(slot) ?? read(slot),
  };
}

/** The program's own subsets change too: counts are reported by them. */
async function replaceSubsets(
  program: Program,
  change: NeuronChange,
  replace: (block: number, neurons: Uint32Array) => Promise<void>,
): Promise<void> {
  // Those of experts stand behind those of blocks.
  const first = change.ofExperts ? opsOfKind(program, "ffn").length : 0;
  for (const [at, subset] of changeableSubsets(program, change).entries()) {
    if (subset === undefined) continue;
    const changed = changedSubset(subset, change);
    await replace(first + at, changed);
    subset.set(changed);
  }
}
