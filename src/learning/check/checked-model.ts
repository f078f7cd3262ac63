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
import { finiteLogSumExp } from "../../runtime/sampling/logprobs.ts";
import { Session } from "../../runtime/session.ts";

/** A model on a backend for one sequence, whose rows' logits can all be read. */
export class CheckedModel implements Disposable {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
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
    return new CheckedModel(await Session.open(backend, program, { logits: slots.logits }));
  }

  get contextLength(): Tokens {
    return this.#session.cache.contextLength;
  }

  get executable(): Executable {
    return this.#session.executable;
  }

  get rowsOfStep(): number {
    return this.#session.program.maxRows;
  }

  /** Reads tokens of a prompt from `position` on. Returns the logits of those from `firstOutput` on, [outputs, vocabulary]. */
  async read(
    tokens: readonly number[],
    position: number,
    firstOutput: number,
  ): Promise<readonly Float32Array[]> {
    const session = this.#session;
    session.cache.truncate(0, position);
    const outputs: number[] = [];
    for (const [row, token] of tokens.entries()) {
      if (row < firstOutput) session.add(0, token);
      else outputs.push(session.addForOutput(0, token, "prompt"));
    }
    await session.run();
    return outputs.map((output) => session.logits(output));
  }

  /** Goes on from one token of an answer, at `position`. Returns its logits [vocabulary]. */
  async answer(token: number, position: number): Promise<Float32Array> {
    const session = this.#session;
    session.cache.truncate(0, position);
    const output = session.addForOutput(0, token, "answer");
    await session.run();
    return session.logits(output);
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]();
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
      const logits = await model.answer(tokens[at] ?? 0, at);
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
    await model.read(some, begin, some.length);
  }
}

export interface TargetComparison {
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
export function compareTargets(sparse: ScoredTargets, dense: ScoredTargets): TargetComparison {
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
  const [first = new Float32Array(1)] = await model.read(some, 0, some.length - 1);
  let next = bestOf(first, some.length);
  const startedAt = performance.now();
  for (let i = 0; i < tokens; i++) {
    const position = some.length + i;
    next = bestOf(await model.answer(next, position), position + 1);
  }
  return tokens / ((performance.now() - startedAt) / 1000);
}

/** @throws NotFiniteError */
function bestOf(logits: Float32Array, position: number): number {
  const token = indexOfLargest(logits);
  if (token === undefined) throw new NotFiniteError(position);
  return token;
}
