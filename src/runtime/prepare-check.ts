/**
 * What a sparse method costs and gains, against the dense model on the same tokens: perplexity target by target,
 * agreement of the likeliest tokens, and decode speed in turns, so that a busy machine slows both alike.
 */
import type { Backend, Executable } from "../backends/backend.ts";
import type { Bytes, Tokens } from "../core/units.ts";
import { buildProgram, type ProgramOptions } from "../model/build-program.ts";
import type { Model } from "../model/model.ts";
import type { Slot } from "../ops/op.ts";
import { createStep, type Step } from "../ops/program.ts";
import { logSumExp } from "./logprobs.ts";
import { indexOfLargest } from "./sampler.ts";

/** A model on a backend for one sequence, whose rows' logits can all be read. */
export class CheckedModel implements Disposable {
  readonly executable: Executable;
  readonly contextLength: Tokens;
  readonly #step: Step;
  readonly #logits: Slot;

  private constructor(
    executable: Executable,
    logits: Slot,
    limits: { readonly rows: number; readonly contextLength: Tokens },
  ) {
    const { rows, contextLength } = limits;
    this.executable = executable;
    this.contextLength = contextLength;
    this.#logits = logits;
    this.#step = createStep(rows, rows);
  }

  static async open(
    model: Model,
    backend: Backend,
    options: Pick<ProgramOptions, "contextLength" | "methodFor" | "downRows">,
  ): Promise<CheckedModel> {
    const { contextLength } = options;
    const rows = Math.min(contextLength, rowsOfStep);
    const { program, slots } = buildProgram(model, {
      ...options,
      sequences: 1,
      maxRows: rows,
      maxOutputs: rows,
      kvType: "f16",
      output: "logits",
    });
    if (slots.logits === undefined)
      throw new RangeError("a program with logits has a slot for them");
    return new CheckedModel(await backend.prepare(program), slots.logits, { rows, contextLength });
  }

  get rowsOfStep(): number {
    return this.#step.token.length;
  }

  /** Runs tokens from `position` on; logits are of those from `firstOutput` on, [outputs, vocabulary]. */
  async run(
    tokens: readonly number[],
    position: number,
    firstOutput: number,
  ): Promise<readonly Float32Array[]> {
    const step = this.#step;
    step.rowCount = tokens.length;
    step.outputCount = 0;
    for (const [row, token] of tokens.entries()) {
      step.sequence[row] = 0;
      step.position[row] = position + row;
      step.token[row] = token;
      if (row >= firstOutput) step.outputRow[step.outputCount++] = row;
    }
    await this.executable.run(0, step);
    const { width } = this.#logits;
    const logits = this.executable.output(this.#logits);
    return Array.from({ length: step.outputCount }, (_, output) =>
      logits.subarray(output * width, (output + 1) * width),
    );
  }

  [Symbol.dispose](): void {
    this.executable[Symbol.dispose]();
  }
}

/** Rows share what is loaded of the weights; more than this gains nothing. */
const rowsOfStep = 128;

/** Of each scored target: its negative log-likelihood, and the likeliest token instead of it. */
export interface ScoredTargets {
  readonly losses: Float64Array;
  readonly likeliest: Int32Array;
  /** Row–neuron pairs computed, of all. */
  readonly activeShare: number;
}

export interface CheckText {
  /** Each with its BOS where the model wants one; of any length from leastWindow on. */
  readonly windows: readonly (readonly number[])[];
}

/** Of a shorter window nothing worth mentioning would be scored. */
export const leastWindow: Tokens = 8;

/** The second half of each window is scored, as perplexity.ts has it. */
export async function scoreTargets(
  model: CheckedModel,
  { windows }: CheckText,
  options: {
    readonly onWindow?: (done: number, total: number) => void;
    readonly signal?: AbortSignal;
  },
): Promise<ScoredTargets> {
  const losses: number[] = [];
  const likeliest: number[] = [];
  model.executable.ffnCounts();
  for (const [index, tokens] of windows.entries()) {
    options.signal?.throwIfAborted();
    await scoreWindow(model, tokens, (logits, target) => {
      losses.push(logSumExp(logits) - (logits[target] ?? 0));
      likeliest.push(indexOfLargest(logits));
    });
    options.onWindow?.(index + 1, windows.length);
  }
  return {
    losses: Float64Array.from(losses),
    likeliest: Int32Array.from(likeliest),
    activeShare: activeShareOf(model.executable),
  };
}

/** The window's last token only serves as a target. */
async function scoreWindow(
  model: CheckedModel,
  tokens: readonly number[],
  visit: (logits: Float32Array, target: number) => void,
): Promise<void> {
  const firstScored = Math.floor(tokens.length / 2);
  for (let begin = 0; begin < tokens.length - 1; begin += model.rowsOfStep) {
    const end = Math.min(begin + model.rowsOfStep, tokens.length - 1);
    const firstOutput = Math.max(0, firstScored - begin);
    const logits = await model.run(tokens.slice(begin, end), begin, firstOutput);
    for (const [i, row] of logits.entries()) visit(row, tokens[begin + firstOutput + i + 1] ?? 0);
  }
}

function activeShareOf(executable: Executable): number {
  let active = 0;
  let pairs = 0;
  for (const counts of executable.ffnCounts()) {
    active += counts.active;
    pairs += counts.rows * counts.neurons;
  }
  return pairs === 0 ? 1 : active / pairs;
}

export interface Comparison {
  readonly perplexity: number;
  readonly perplexityError: number;
  /** Perplexity over the dense one, less 1, with the error of the paired difference. */
  readonly perplexityLoss: number;
  readonly lossError: number;
  readonly agreement: number;
}

/** Both scored the same targets. */
export function compareTargets(sparse: ScoredTargets, dense: ScoredTargets): Comparison {
  const own = momentsOf(sparse.losses);
  const change = momentsOf(sparse.losses.map((loss, i) => loss - (dense.losses[i] ?? 0)));
  const perplexity = Math.exp(own.mean);
  const agreeing = sparse.likeliest.filter((token, i) => token === dense.likeliest[i]).length;
  return {
    perplexity,
    perplexityError: perplexity * own.error,
    perplexityLoss: Math.expm1(change.mean),
    lossError: Math.exp(change.mean) * change.error,
    agreement: agreeing / Math.max(1, sparse.likeliest.length),
  };
}

function momentsOf(values: Float64Array): { readonly mean: number; readonly error: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, count);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: count < 2 ? 0 : Math.sqrt(variance / (count - 1) / count) };
}

export interface DecodeMeasurement {
  readonly tokensPerSecond: number;
  /** Feed-forward bytes read for one token. */
  readonly bytesPerToken: Bytes;
}

/** Greedy continuation of `prompt`, `tokens` long. */
export async function decodeOnce(
  model: CheckedModel,
  { prompt, tokens }: { readonly prompt: readonly number[]; readonly tokens: Tokens },
): Promise<DecodeMeasurement> {
  const some = prompt.slice(0, model.rowsOfStep);
  let next = bestOf(await model.run(some, 0, some.length - 1));
  model.executable.ffnCounts();
  const startedAt = performance.now();
  for (let i = 0; i < tokens; i++) next = bestOf(await model.run([next], some.length + i, 0));
  const seconds = (performance.now() - startedAt) / 1000;
  const bytes = model.executable.ffnCounts().reduce((sum, one) => sum + one.bytesTouched, 0);
  return { tokensPerSecond: tokens / seconds, bytesPerToken: bytes / tokens };
}

function bestOf([logits]: readonly Float32Array[]): number {
  return logits === undefined ? 0 : indexOfLargest(logits);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
