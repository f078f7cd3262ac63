/**
 * A model ready to run: its program on a backend, the rows of the next step and the book of the KV cache.
 * The only way through the model is add rows, run, read outputs; prefill, decode, batches and perplexity differ in their rows.
 */
import type { Backend, Executable, PrepareOptions } from "../backends/backend.ts";
import { LimitError } from "../core/errors.ts";
import type { Slot } from "../ops/op.ts";
import { createStep, type Program, type Step } from "../ops/program.ts";
import { FfnTrace } from "./ffn-trace.ts";
import { SequenceCache } from "./sequence-cache.ts";

export class Session implements Disposable {
  readonly cache: SequenceCache;
  readonly program: Program;
  readonly executable: Executable;
  readonly trace: FfnTrace;
  readonly #step: Step;
  readonly #logits: Slot;

  private constructor(program: Program, logits: Slot, executable: Executable) {
    this.program = program;
    this.executable = executable;
    this.trace = new FfnTrace(() => executable.ffnCounts());
    this.cache = new SequenceCache(program.kv.sequences, program.kv.contextLength);
    this.#step = createStep(program.maxRows, program.maxOutputs);
    this.#logits = logits;
  }

  /** Prepares `program`, one segment, on `backend`. `logits` is the output slot to read after each run. */
  static async open(
    backend: Backend,
    program: Program,
    logits: Slot,
    options: PrepareOptions = {},
  ): Promise<Session> {
    return new Session(program, logits, await backend.prepare(program, options));
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

  /** Runs the rows added so far; afterwards the step is empty again. */
  async run(): Promise<void> {
    if (this.#step.rowCount === 0) return;
    this.trace.begin(this.#step.rowCount === this.#step.outputCount ? "decode" : "prompt");
    const startedAt = performance.now();
    const done = this.executable.run(0, this.#step);
    this.#step.rowCount = 0;
    this.#step.outputCount = 0;
    await done;
    this.trace.end(performance.now() - startedAt);
  }

  /** Makes the first `length` tokens that `from` holds all that `to` holds. Rows added so far are run before. */
  async copyPrefix(from: number, to: number, length: number): Promise<void> {
    await this.run();
    await this.executable.copySequence(from, to, length);
    this.cache.copy(from, to, length);
  }

  /** Logits [vocabulary] of an output of the last run: a view, valid and writable until the next run. */
  logits(output: number): Float32Array {
    const width = this.#logits.width;
    return this.executable.output(this.#logits).subarray(output * width, (output + 1) * width);
  }

  [Symbol.dispose](): void {
    this.executable[Symbol.dispose]();
  }
}
