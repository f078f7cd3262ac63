/**
 * Perplexity by llama.cpp's definition: windows of N tokens, BOS in place of the first where the model wants one,
 * and of each window the targets N/2+1 … N−1 scored, so that every scored token has at least N/2 of context.
 * Source: llama.cpp, tools/perplexity.
 */
import { counted } from "../../core/counted.ts";
import { LimitError, OptionError } from "../../core/errors.ts";
import type { Tokens } from "../../core/units.ts";
import { finiteLogSumExp } from "../../runtime/sampling/logprobs.ts";
import type { Session } from "../../runtime/session.ts";

export interface WindowOptions {
  /** N: tokens in a window, at most the session's context. */
  readonly window: Tokens;
  /** Replaces the first token of every window; undefined: the text's own first token stays. */
  readonly bos: number | undefined;
  readonly onProgress?: (done: Tokens, total: Tokens) => void;
  readonly signal?: AbortSignal;
}

export interface Perplexity {
  readonly perplexity: number;
  /** Of the perplexity, from the spread of the tokens' negative log-likelihoods. */
  readonly standardError: number;
  /** Targets scored. */
  readonly tokens: Tokens;
}

interface ScoredTarget {
  readonly token: number;
  /** In the text. */
  readonly position: number;
}

/** Called for each scored target with each session's logits [vocabulary] that predict it; valid during the call. */
export type VisitScored = (logits: readonly Float32Array[], target: ScoredTarget) => void;

/**
 * Mean negative log-likelihood of the scored targets, as a perplexity.
 * @throws OptionError for too short a text, NotFiniteError for a model that computes NaN.
 */
export async function measurePerplexity(
  session: Session,
  ids: ArrayLike<number>,
  options: WindowOptions,
): Promise<Perplexity> {
  const losses = new LossSum();
  await visitScoredTargets([session], ids, options, ([logits = empty], target) => {
    losses.add(finiteLogSumExp(logits, target.position) - (logits[target.token] ?? 0));
  });
  return losses.perplexity();
}

const empty = new Float32Array(0);

/** Negative log-likelihoods, summed up. */
export class LossSum {
  #count = 0;
  #sum = 0;
  #sumOfSquares = 0;

  add(loss: number): void {
    this.#count++;
    this.#sum += loss;
    this.#sumOfSquares += loss * loss;
  }

  perplexity(): Perplexity {
    const count = this.#count;
    const mean = this.#sum / count;
    const variance = Math.max(0, this.#sumOfSquares / count - mean * mean);
    const perplexity = Math.exp(mean);
    return {
      perplexity,
      standardError: count > 1 ? perplexity * Math.sqrt(variance / (count - 1)) : 0,
      tokens: count,
    };
  }
}

/** Runs each model over the same whole windows of `ids` (a rest shorter than a window is left out), step by step. */
export async function visitScoredTargets(
  sessions: readonly Session[],
  ids: ArrayLike<number>,
  options: WindowOptions,
  visit: VisitScored,
): Promise<void> {
  const { window, bos, onProgress, signal } = options;
  const contextLength = Math.min(...sessions.map(({ cache }) => cache.contextLength));
  if (!Number.isInteger(window) || window < 4) {
    throw new OptionError("context", String(window), "a window of at least 4 tokens");
  }
  if (window > contextLength) {
    throw new LimitError(
      `a window of ${counted(window, "token")} does not fit a context of ${contextLength}`,
    );
  }
  if (ids.length < window) {
    throw new OptionError(
      "text",
      counted(ids.length, "token"),
      `at least one window of ${counted(window, "token")}`,
    );
  }
  const windows = Math.floor(ids.length / window);
  for (let index = 0; index < windows; index++) {
    signal?.throwIfAborted();
    const first = index * window;
    const tokens = Array.from({ length: window }, (_, i) => ids[first + i] ?? 0);
    await visitWindow(sessions, { tokens, first, bos }, visit);
    onProgress?.((index + 1) * window, windows * window);
  }
}

async function visitWindow(
  sessions: readonly Session[],
  text: {
    readonly tokens: readonly number[];
    /** Where they are in the text. */
    readonly first: number;
    readonly bos: number | undefined;
  },
  visit: VisitScored,
): Promise<void> {
  const { tokens, first, bos } = text;
  const firstScored = Math.floor(tokens.length / 2);
  for (const { cache } of sessions) cache.truncate(0, 0);
  let targets: ScoredTarget[] = [];
  const flush = async (): Promise<void> => {
    for (const session of sessions) await session.run();
    for (const [output, target] of targets.entries()) {
      visit(
        sessions.map((session) => session.logits(output)),
        target,
      );
    }
    targets = [];
  };
  // The window's last token only serves as a target.
  for (let i = 0; i < tokens.length - 1; i++) {
    const token = i === 0 && bos !== undefined ? bos : (tokens[i] ?? 0);
    if (i >= firstScored) targets.push({ token: tokens[i + 1] ?? 0, position: first + i + 1 });
    for (const session of sessions) {
      if (i < firstScored) session.add(0, token);
      else session.addForOutput(0, token, "prompt");
    }
    if (sessions.some(({ room, outputRoom }) => room === 0 || outputRoom === 0)) await flush();
  }
  await flush();
}
