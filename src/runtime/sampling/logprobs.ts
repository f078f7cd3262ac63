/** Log-probabilities of a row of logits, in double precision. */
import { NotFiniteError } from "../../core/errors.ts";

export interface TokenLogprob {
  readonly token: number;
  /** Natural logarithm. */
  readonly logprob: number;
}

/** log Σ exp(logits), stable. */
export function logSumExp(logits: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > largest) largest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return largest + Math.log(sum);
}

/** log Σ exp(logits) of the logits that predict the token at `position`. @throws NotFiniteError if it is not finite. */
export function finiteLogSumExp(logits: Float32Array, position: number): number {
  const total = logSumExp(logits);
  if (Number.isFinite(total)) return total;
  throw new NotFiniteError(position);
}

/** The `count` likeliest tokens, falling; ties go to the lower id. */
export function topLogprobs(logits: Float32Array, count: number): readonly TokenLogprob[] {
  const total = logSumExp(logits);
  const best: { token: number; logprob: number }[] = [];
  logits.forEach((logit, token) => {
    const logprob = logit - total;
    const last = best.at(-1);
    if (best.length === count && last !== undefined && logprob <= last.logprob) return;
    let place = best.length;
    while (place > 0 && (best[place - 1]?.logprob ?? 0) < logprob) place--;
    best.splice(place, 0, { token, logprob });
    if (best.length > count) best.pop();
  });
  return best;
}
