/**
 * What a sparse method costs and gains, against the dense model on the same tokens: perplexity target by target,
 * agreement of the likeliest tokens, and decode speed in turns, so that a busy machine slows both alike.
 */

import type { Backend, Executable } from "../../backends/backend.ts";
import { NotFiniteError } from "../../core/errors.ts";
import { indexOfLargest } from "../../core/numbers.ts";
import type { Bytes, Tokens } from "../../core/units.ts";
import { buildProgram, type ProgramOptions } from "../../model/build-program.ts";
import type { Model } from "../../model/model.ts";
import type { Slot } from "../../ops/op.ts";
import { createStep, type Step } from "../../ops/program.ts";
import { finiteLogSumExp } from "../../runtime/sampling/logprobs.ts";

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
    options: Pick<ProgramOptions, "contextLength" | "methodFor" | "downRows" | "masksFor">,
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
    return new CheckedModel(await backend.compile(program), slots.logits, { rows, contextLength });
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
  /** Of the tokens decoded: row–neuron pairs computed, of all. */
  readonly activeShare: number;
  /** Feed-forward bytes read for a token decoded. */
  readonly bytesPerToken: Bytes;
  /** Bytes of the matrices beside them that a token decoded did not read, as its inputs were masked. */
  readonly bytesSkipped: Bytes;
}

export interface CheckText {
  /** Each with its BOS where the model wants one; of any length from minWindow on. */
  readonly windows: readonly (readonly number[])[];
}

/** Of a shorter window nothing worth mentioning would be scored. */
export const minWindow: Tokens = 8;

/** Tokens of a window that scoreTargets decodes. */
export function scoredIn(window: readonly number[]): Tokens {
  return Math.max(0, window.length - 1 - Math.floor(window.length / 2));
}

/**
 * As a model is used: the first half of each window is read as a prompt, in steps of many rows; the second half is decoded
 * token by token, each scored, where sparsity applies to every token alone.
 */
export async function scoreTargets(
  model: CheckedModel,
  { windows }: CheckText,
  options: {
    /** Told what was scored so far; true ends it there. */
    readonly onWindow?: (done: number, total: number, scored: () => ScoredTargets) => boolean;
    readonly signal?: AbortSignal;
  },
): Promise<ScoredTargets> {
  const losses: number[] = [];
  const likeliest: number[] = [];
  const decoded = { active: 0, pairs: 0, bytes: 0, skipped: 0 };
  const scored = (): ScoredTargets => ({
    losses: Float64Array.from(losses),
    likeliest: Int32Array.from(likeliest),
    activeShare: decoded.pairs === 0 ? 1 : decoded.active / decoded.pairs,
    bytesPerToken: decoded.bytes / Math.max(1, losses.length),
    bytesSkipped: decoded.skipped / Math.max(1, losses.length),
  });
  for (const [index, tokens] of windows.entries()) {
    options.signal?.throwIfAborted();
    const firstScored = Math.floor(tokens.length / 2);
    await readPrompt(model, tokens.slice(0, firstScored));
    model.executable.ffnCounts();
    model.executable.channelCounts();
    // The window's last token only serves as a target.
    for (let at = firstScored; at < tokens.length - 1; at++) {
      const [logits = new Float32Array(1)] = await model.run([tokens[at] ?? 0], at, 0);
      losses.push(finiteLogSumExp(logits, at + 1) - (logits[tokens[at + 1] ?? 0] ?? 0));
      likeliest.push(bestOf(logits, at + 1));
    }
    for (const counts of model.executable.ffnCounts()) {
      decoded.active += counts.active;
      decoded.pairs += counts.rows * counts.neurons;
      decoded.bytes += counts.bytesTouched;
    }
    for (const { bytesDense, bytesTouched } of model.executable.channelCounts()) {
      decoded.skipped += bytesDense - bytesTouched;
    }
    if (options.onWindow?.(index + 1, windows.length, scored)) break;
  }
  return scored();
}

async function readPrompt(model: CheckedModel, tokens: readonly number[]): Promise<void> {
  for (let begin = 0; begin < tokens.length; begin += model.rowsOfStep) {
    const some = tokens.slice(begin, begin + model.rowsOfStep);
    await model.run(some, begin, some.length);
  }
}

export interface Comparison {
  readonly perplexity: number;
  readonly perplexityError: number;
  /** Perplexity over the dense one, less 1, with the error of the paired difference. */
  readonly perplexityLoss: number;
  readonly lossError: number;
  readonly agreement: number;
}

/**
 * Both scored the same targets, or `sparse` the first of them: its perplexity is the one of all then, as far as the change
 * on the first ones predicts.
 */
export function compareTargets(sparse: ScoredTargets, dense: ScoredTargets): Comparison {
  const change = momentsOf(sparse.losses.map((loss, i) => loss - (dense.losses[i] ?? 0)));
  const all = momentsOf(dense.losses);
  const own =
    sparse.losses.length === dense.losses.length
      ? momentsOf(sparse.losses)
      : { mean: all.mean + change.mean, error: Math.hypot(all.error, change.error) };
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

/** Tokens a second of a greedy continuation of `prompt`, `tokens` long. */
export async function decodeOnce(
  model: CheckedModel,
  { prompt, tokens }: { readonly prompt: readonly number[]; readonly tokens: Tokens },
): Promise<number> {
  const some = prompt.slice(0, model.rowsOfStep);
  const run = async (read: readonly number[], position: number): Promise<number> => {
    const [logits = new Float32Array(1)] = await model.run(read, position, read.length - 1);
    return bestOf(logits, position + read.length);
  };
  let next = await run(some, 0);
  const startedAt = performance.now();
  for (let i = 0; i < tokens; i++) next = await run([next], some.length + i);
  return tokens / ((performance.now() - startedAt) / 1000);
}

/** @throws NotFiniteError */
function bestOf(logits: Float32Array, position: number): number {
  const token = indexOfLargest(logits);
  if (token === undefined) throw new NotFiniteError(position);
  return token;
}
