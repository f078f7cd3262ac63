/**
 * A model ready to run: its program on a backend, the rows of the next step and the book of the KV cache.
 * The only way through the model is add rows, run, read outputs; prefill, decode, batches and perplexity differ in their rows.
 */
import type { Backend, CompileOptions, Executable } from "../backends/backend.ts";
import { LimitError } from "../core/errors.ts";
import type { Slot } from "../ops/op.ts";
import { createStep, type Program, type Step } from "../ops/program.ts";
import { FfnCounters } from "./ffn-counters.ts";
import { SequenceCache } from "./sequence-cache.ts";

/** What a step can be asked for. */
export interface OutputSlots {
  readonly logits: Slot; // [outputs, vocabulary]
  /** Where the device finds the best token itself, so that one number is read back: [outputs, 1]. */
  readonly argmax?: Slot;
  /** Where it finds the largest logits: [outputs, 2·k], (id, logit) pairs, falling. */
  readonly topK?: Slot;
}

/** What of a step's result is read back: the best token, the largest logits, or all of them. */
export type ReadKind = "best" | "largest" | "logits";

export class Session implements Disposable {
  readonly cache: SequenceCache;
  readonly program: Program;
  readonly executable: Executable;
  readonly counters: FfnCounters;
  readonly #step: Step;
  readonly #outputs: OutputSlots;

  private constructor(program: Program, outputs: OutputSlots, executable: Executable) {
    this.program = program;
    this.executable = executable;
    this.counters = new FfnCounters(executable);
    this.cache = new SequenceCache(program.kv.sequences, program.kv.contextLength);
    this.#step = createStep(program.maxRows, program.maxOutputs);
    this.#outputs = outputs;
  }

  /** Compiles `program` on `backend`: segment 0 is the model; an output of another segment is read by running that one. */
  static async open(
    backend: Backend,
    program: Program,
    outputs: OutputSlots,
    options: CompileOptions = {},
  ): Promise<Session> {
    return new Session(program, outputs, await backend.compile(program, options));
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

  /** Adds a row at the end of a sequence, to be computed for the cache's sake. */
  add(sequence: number, token: number): void {
    const step = this.#step;
    if (this.room === 0) throw new LimitError(`a step has room for ${step.sequence.length} rows`);
    const position = this.cache.append(sequence, token);
    step.sequence[step.rowCount] = sequence;
    step.position[step.rowCount] = position;
    step.token[step.rowCount] = token;
    step.rowCount++;
  }

  /** Adds a row whose logits are wanted and returns the index for `logits`. */
  addForOutput(sequence: number, token: number): number {
    const step = this.#step;
    if (this.outputRoom === 0) {
      throw new LimitError(`a step has room for ${step.outputRow.length} outputs`);
    }
    this.add(sequence, token);
    step.outputRow[step.outputCount] = step.rowCount - 1;
    return step.outputCount++;
  }

  /** The least to be read that holds the `count` largest logits of each output. */
  minFor(count: number): ReadKind {
    const { argmax, topK } = this.#outputs;
    if (count <= 1 && argmax !== undefined) return "best";
    return topK !== undefined && count <= topK.width / 2 ? "largest" : "logits";
  }

  /** Runs the rows added so far; afterwards the step is empty again, and what was asked for can be read. */
  async run(wanted: ReadKind = "logits"): Promise<void> {
    if (this.#step.rowCount === 0) return;
    this.counters.begin(this.#step.rowCount === this.#step.outputCount ? "decode" : "prompt");
    const startedAt = performance.now();
    const runs = [this.executable.run(0, this.#step)];
    const read = this.#segmentOf(wanted);
    if (read > 0 && this.#step.outputCount > 0) runs.push(this.executable.run(read, this.#step));
    this.#step.rowCount = 0;
    this.#step.outputCount = 0;
    await Promise.all(runs);
    this.counters.end(performance.now() - startedAt);
  }

  /** Makes the first `length` tokens that `from` holds all that `to` holds. Rows added so far are run before. */
  async copyPrefix(from: number, to: number, length: number): Promise<void> {
    await this.run();
    await this.executable.copySequence(from, to, length);
    this.cache.copy(from, to, length);
  }

  /** Logits [vocabulary] of an output of the last run: a view, valid and writable until the next run. */
  logits(output: number): Float32Array {
    const { logits } = this.#outputs;
    const width = logits.width;
    return this.executable.output(logits).subarray(output * width, (output + 1) * width);
  }

  /**
   * The likeliest token of an output of the last run, which was asked for best tokens; the lowest id on a tie.
   * Undefined where a logit is NaN or the largest infinite.
   */
  best(output: number): number | undefined {
    const { argmax } = this.#outputs;
    if (argmax === undefined) throw new RangeError("this program finds no best tokens");
    const token = this.executable.output(argmax)[output] ?? -1;
    return token < 0 ? undefined : token;
  }

  /** Pairs (id, logit) of the largest logits of an output of the last run, which was asked for them; ties by lower id. */
  largest(output: number): Float32Array {
    const { topK } = this.#outputs;
    if (topK === undefined) throw new RangeError("this program finds no largest logits");
    return this.executable.output(topK).subarray(output * topK.width, (output + 1) * topK.width);
  }

  [Symbol.dispose](): void {
    this.executable[Symbol.dispose]();
  }

  #segmentOf(wanted: ReadKind): number {
    const { logits, argmax, topK } = this.#outputs;
    const slots: Readonly<Record<ReadKind, Slot | undefined>> = {
      best: argmax,
      largest: topK,
      logits,
    };
    const slot = slots[wanted] ?? logits;
    return this.program.segments.findIndex(({ outputs }) => outputs.includes(slot));
  }
}
