/** What is reported of a chosen token besides: how likely it was, and what else was. */
import { logSumExp, type TokenLogprob, topLogprobs } from "./logprobs.ts";

export interface TokenScores {
  readonly logprob: number;
  /** The likeliest tokens, falling. */
  readonly topLogprobs: readonly TokenLogprob[];
}

/** Of a token beside which there was no other. */
export function certainScores(token: number, count: number): TokenScores {
  return { logprob: 0, topLogprobs: count === 0 ? [] : [{ token, logprob: 0 }] };
}

/** Of the model: by logits that may change before a token is chosen. `count` likeliest ones are told. */
export function modelScores(logits: Float32Array, count: number): (token: number) => TokenScores {
  const before = logits.slice();
  const total = logSumExp(logits);
  const top = topLogprobs(logits, count);
  return (token) => ({ logprob: (before[token] ?? 0) - total, topLogprobs: top });
}
