/**
 * A model ready to run: its program on a backend, the rows of the next step and the book of the KV cache.
 * The only way through the model is add rows, run, read outputs; prefill, decode, batches and perplexity differ in their rows.
 */

import type { Backend, CompileOptions, Executable, StatePlace } from "../backends/backend.ts";
import { counted } from "../core/counted.ts";
import { HearthError, LimitError } from "../core/errors.ts";
import type { Slot } from "../ops/op.ts";
import { createStep, emptyStep, type Program, type RowPurpose, type Step } from "../ops/program.ts";
import {
  type HeldState,
  type PlacedPart,
  placedParts,
  type StatePart,
} from "../ops/state-parts.ts";
import { compileForCaller } from "./compile-for-caller.ts";
import { FfnCounters } from "./ffn-counters.ts";
import { SequenceCache } from "./sequence-cache.ts";
import type { ShownStep } from "./shown-tokens.ts";

/** What a program's steps can be asked for. */
export interface OutputSlots {
  /** [outputs, vocabulary]. Absent in a program that is run for other slots. */
  readonly logits?: Slot;
  /** [outputs, 1]: the device finds the best token itself, so that one number is read back. */
  readonly argmax?: Slot;
  /** [outputs, 2·k]: (id, logit) pairs of the largest logits, falling. */
  readonly topK?: Slot;
  /** [rows of the step, dim]: what every row is behind the last norm. */
  readonly rows?: Slot;
}

/** Which outputs of a step are read back: the best tokens, the largest logits, or all logits. */
export type ReadKind = "best" | "largest" | "logits";

export class Session implements Disposable {
  readonly cache: SequenceCache;
  readonly program: Program;
  readonly executable: Executable;
  readonly counters: FfnCounters;
  readonly #step: Step;
  /** Copies of states that were asked for since the last run. The next one, behind which none is left, waits for them. */
  readonly #copies: Promise<void>[] = [];
  readonly #outputs: OutputSlots;
  #shown: ShownStep | undefined;
  readonly #segments: Readonly<Record<ReadKind | "rows", number>>;

  private constructor(program: Program, outputs: OutputSlots, executable: Executable) {
    this.program = program;
    this.executable = executable;
    this.counters = new FfnCounters(executable);
    this.cache = new SequenceCache(program.kv);
    this.#step = createStep(program.maxRows, program.maxOutputs);
    this.#outputs = outputs;
    const segmentOf = (slot: Slot | undefined): number =>
      program.segments.findIndex((segment) => slot !== undefined && segment.outputs.includes(slot));
    this.#segments = {
      best: segmentOf(outputs.argmax),
      largest: segmentOf(outputs.topK),
      logits: segmentOf(outputs.logits),
      rows: segmentOf(outputs.rows),
    };
  }

  /** Compiles `program` on `backend`: segment 0 is the model; a read whose slot is of another segment runs that one too. */
  static async open(
    backend: Backend,
    program: Program,
    outputs: OutputSlots,
    options: CompileOptions = {},
  ): Promise<Session> {
    return new Session(program, outputs, await compileForCaller(backend, program, options));
  }

  /** Rows that still fit into the step. */
  get room(): number {
    return this.program.maxRows - this.#step.rowCount;
  }

  /** Outputs that still fit into the step. */
  get outputRoom(): number {
    return this.program.maxOutputs - this.#step.outputCount;
  }

  /** Rows added since the last run. */
  get rowCount(): number {
    return this.#step.rowCount;
  }

  /**
   * Adds a row at the end of a sequence that is computed for the cache's sake: no output is read.
   * @throws RangeError unless rows of answers are added first, proposals next, prompts last.
   */
  add(sequence: number, token: number, purpose: RowPurpose = "prompt"): void {
    const step = this.#step;
    if (this.room === 0)
      throw new LimitError(`a step has room for ${counted(step.sequence.length, "row")}`);
    const before = purpose === "answer" ? step.answerRows : step.answerRows + step.proposalRows;
    if (purpose !== "prompt" && before < step.rowCount) {
      throw new RangeError(`a row of purpose ${purpose} was added behind rows that come after it`);
    }
    const position = this.cache.append(sequence, token);
    step.sequence[step.rowCount] = sequence;
    step.position[step.rowCount] = position;
    step.token[step.rowCount] = token;
    step.rowCount++;
    if (purpose === "answer") step.answerRows++;
    else if (purpose === "proposal") step.proposalRows++;
  }

  /**
   * Adds a row whose output is wanted and returns the index for `logits`, `best` and `largest`.
   * @throws RangeError as `add`
   */
  addForOutput(sequence: number, token: number, purpose: RowPurpose): number {
    const step = this.#step;
    if (this.outputRoom === 0) {
      throw new LimitError(`a step has room for ${counted(step.outputRow.length, "output")}`);
    }
    this.add(sequence, token, purpose);
    step.outputRow[step.outputCount] = step.rowCount - 1;
    return step.outputCount++;
  }

  /** The row that was added last, with its output, is looked at: `takeShown` tells what the next run did for it. */
  showLast(): void {
    this.#step.shownRow = this.#step.rowCount - 1;
    this.#step.shownOutput = this.#step.outputCount - 1;
  }

  /** Of the last run; undefined where it showed no row. */
  takeShown(): ShownStep | undefined {
    const shown = this.#shown;
    this.#shown = undefined;
    return shown;
  }

  /** The cheapest read that contains the `count` largest logits of every output. */
  cheapestRead(count: number): ReadKind {
    const { argmax, topK } = this.#outputs;
    if (count <= 1 && argmax !== undefined) return "best";
    return topK !== undefined && count <= topK.width / 2 ? "largest" : "logits";
  }

  /**
   * Runs the rows added so far. Afterwards the step is empty again, and the outputs can be read as `read` says; with `rows`
   * "read" also what every row is behind the last norm.
   */
  async run(read: ReadKind = "logits", rows: "read" | "unread" = "unread"): Promise<void> {
    if (this.#step.rowCount === 0) return;
    this.counters.begin(this.#step);
    const shownOf = this.#step.shownRow < 0 ? 0 : this.#step.rowCount;
    if (shownOf > 0) this.counters.apart();
    const startedAt = performance.now();
    const runs = [...this.#copies, this.executable.run(0, this.#step)];
    this.#copies.length = 0;
    const segment = this.#segmentOf(read);
    if (segment > 0 && this.#step.outputCount > 0) {
      runs.push(this.executable.run(segment, this.#step));
    }
    if (rows === "read") runs.push(this.executable.run(this.#segments.rows, this.#step));
    emptyStep(this.#step);
    await Promise.all(runs);
    const endedAt = performance.now();
    this.counters.end(endedAt - startedAt);
    if (shownOf > 0) this.#shown = await this.#lookAt({ rows: shownOf, startedAt, endedAt });
  }

  /** Keeps a checkpoint of a sequence behind all of its rows, where one is wanted. @throws RangeError for rows not run. */
  saveState(sequence: number): void {
    this.#requireRun();
    const slot = this.cache.save(sequence);
    if (slot !== undefined) this.#copy(this.executable.saveState(sequence, slot));
  }

  /** Makes a sequence hold its first `length` tokens, or as many of them as it can go back to. Returns how many. */
  keep(sequence: number, length: number): number {
    const reach = this.cache.keep(sequence, length);
    if (reach.slot !== undefined) this.#copy(this.executable.restoreState(reach.slot, sequence));
    return reach.length;
  }

  /**
   * Makes `to` hold the first `length` tokens of `from`, or as many of them as can be gone on from, and nothing else.
   * Returns how many. Nothing is read again. @throws RangeError for rows not run.
   */
  fork(from: number, to: number, length: number): number {
    this.#requireRun();
    const reach = this.cache.copy(from, to, length);
    if (from === to || reach.length === 0) return reach.length;
    this.#copy(this.executable.copySequence(from, to, reach.length));
    if (reach.slot !== undefined) this.#copy(this.executable.restoreState(reach.slot, to));
    return reach.length;
  }

  /** Runs the rows added so far, then forks. @throws HearthError where `from` cannot be gone on from there. */
  async copyPrefix(from: number, to: number, length: number): Promise<void> {
    await this.run();
    const { length: reached } = this.cache.reach(from, length);
    if (reached < length) {
      throw new HearthError(
        `${counted(length, "token")} of sequence ${from} cannot be copied: its layers can go on from ${reached}; copy more, or read them anew`,
      );
    }
    this.fork(from, to, length);
  }

  /** What a sequence holds, with the newest of its checkpoints, at most so many. */
  heldState(sequence: number, maxCheckpoints: number): HeldState {
    const checkpoints = this.cache.checkpointsOf(sequence).slice(-maxCheckpoints);
    return {
      tokens: this.cache.tokens(sequence).slice(),
      checkpoints: checkpoints.map(({ length }) => length),
    };
  }

  /** Bytes of a part of what a sequence holds. @throws RangeError for rows not run. */
  readState(sequence: number, { part, checkpoint }: PlacedPart): Promise<Uint8Array> {
    this.#requireRun();
    if (checkpoint === undefined) {
      const length = this.cache.length(sequence);
      return this.executable.readState({ place: sequence, length }, part);
    }
    const saved = this.cache.checkpointsOf(sequence).find(({ length }) => length === checkpoint);
    if (saved === undefined) throw new RangeError(`no checkpoint behind ${checkpoint} tokens`);
    const place = this.cache.sequences + saved.slot;
    return this.executable.readState({ place, length: checkpoint }, part);
  }

  /** A part of a sequence's state, or of a checkpoint's behind the sequences. @throws RangeError for rows not run. */
  async readPart(at: StatePlace, part: StatePart): Promise<Uint8Array> {
    this.#requireRun();
    return this.executable.readState(at, part);
  }

  /** The opposite: the book learns by `cache.adopt` what the sequence holds then. @throws RangeError for rows not run. */
  async writePart(at: StatePlace, part: StatePart, bytes: Uint8Array): Promise<void> {
    this.#requireRun();
    await this.executable.writeState(at, part, bytes);
  }

  /**
   * Makes a sequence hold this and nothing else; `read` gives the bytes of its parts, in the order of `placedParts`. What it
   * throws, or the device, leaves the sequence empty. @throws LimitError where the context is too short.
   */
  async writeState(
    sequence: number,
    held: HeldState,
    read: (part: StatePart) => Uint8Array,
  ): Promise<void> {
    this.#requireRun();
    const slots = this.cache.adopt(sequence, held);
    try {
      for (const { part, checkpoint } of placedParts(this.program.kv, held)) {
        const bytes = read(part);
        const slot = checkpoint === undefined ? undefined : slots.get(checkpoint);
        if (checkpoint !== undefined && slot === undefined) continue;
        const place = slot === undefined ? sequence : this.cache.sequences + slot;
        const length = checkpoint ?? held.tokens.length;
        await this.executable.writeState({ place, length }, part, bytes);
      }
    } catch (error) {
      this.cache.truncate(sequence, 0);
      throw error;
    }
  }

  /** Logits [vocabulary] of an output of the last run: a view, valid and writable until the next run. */
  logits(output: number): Float32Array {
    const { logits } = this.#outputs;
    if (logits === undefined) throw new RangeError("this program computes no logits");
    const { width } = logits;
    return this.executable.output(logits).subarray(output * width, (output + 1) * width);
  }

  /**
   * The likeliest token of an output of the last run, which read "best"; the lowest id on a tie. Undefined if a logit is
   * NaN or the largest one infinite.
   */
  best(output: number): number | undefined {
    const { argmax } = this.#outputs;
    if (argmax === undefined) throw new RangeError("this program finds no best tokens");
    const token = this.executable.output(argmax)[output] ?? -1;
    return token < 0 ? undefined : token;
  }

  /** Pairs (id, logit) of the largest logits of an output of the last run, which read "largest"; ties by lower id. */
  largest(output: number): Float32Array {
    const { topK } = this.#outputs;
    if (topK === undefined) throw new RangeError("this program finds no largest logits");
    return this.executable.output(topK).subarray(output * topK.width, (output + 1) * topK.width);
  }

  /** Rows [count, dim] of the last run, which read them, from the `first` one that was added on; valid until the next run. */
  rows(first: number, count: number): Float32Array {
    const { rows } = this.#outputs;
    if (rows === undefined) throw new RangeError("this program does not show its rows");
    const { width } = rows;
    return this.executable.output(rows).subarray(first * width, (first + count) * width);
  }

  [Symbol.dispose](): void {
    this.executable[Symbol.dispose]();
  }

  async #lookAt(step: Pick<ShownStep, "rows" | "startedAt" | "endedAt">): Promise<ShownStep> {
    const { sets, timeline } = await this.executable.shownRow();
    const counts = this.counters.apart();
    return { ...step, sets, timeline, counts, tookToShow: performance.now() - step.endedAt };
  }

  /** A failure shows in the next run; a copy behind which none follows must not end the process. */
  #copy(done: Promise<void>): void {
    done.catch(() => undefined);
    this.#copies.push(done);
  }

  #requireRun(): void {
    if (this.rowCount > 0) throw new RangeError("rows were added that have not been run");
  }

  /** The segment that computes this read, where the program has it; −1 for a program without outputs. */
  #segmentOf(read: ReadKind): number {
    const { best, largest, logits } = this.#segments;
    if (read === "best" && best >= 0) return best;
    return read === "largest" && largest >= 0 ? largest : logits;
  }
}
