/**
 * How far a model's predictions are from another's over the same text: Kullback–Leibler divergence, agreement of the
 * likeliest token and both perplexities. Definitions as in llama.cpp's tools/perplexity (--kl-divergence), at b6000.
 */
import { quantile } from "../../core/numbers.ts";
import { finiteLogSumExp } from "../../runtime/sampling/logprobs.ts";
import type { Session } from "../../runtime/session.ts";
import { LossSum, type Perplexity, visitScoredTargets, type WindowOptions } from "./perplexity.ts";

export interface Estimate {
  readonly mean: number;
  /** Sample standard deviation / √n: tokens are taken as independent, as usual. */
  readonly standardError: number;
}

export interface Comparison {
  readonly candidate: Perplexity;
  readonly reference: Perplexity;
  /** ln(candidate's perplexity / reference's); the error is of the differences token by token. */
  readonly logRatio: Estimate;
  /** Σ p ln(p/q), p the reference's distribution and q the candidate's, in nats. */
  readonly klDivergence: Estimate & {
    readonly median: number;
    readonly percentile99: number;
    readonly largest: number;
  };
  /** Share of tokens for which both find the same token likeliest. */
  readonly topAgreement: Estimate;
}

export interface ComparedSessions {
  readonly candidate: Session;
  readonly reference: Session;
}

/** @throws OptionError for too short a text. */
export async function compareSessions(
  { candidate, reference }: ComparedSessions,
  ids: ArrayLike<number>,
  options: WindowOptions,
): Promise<Comparison> {
  const losses = { candidate: new LossSum(), reference: new LossSum() };
  const divergences: number[] = [];
  const differences: number[] = [];
  const agreements: number[] = [];
  await visitScoredTargets([candidate, reference], ids, options, ([q, p], { token, position }) => {
    if (q === undefined || p === undefined) return;
    const totals = { p: finiteLogSumExp(p, position), q: finiteLogSumExp(q, position) };
    const loss = { p: totals.p - (p[token] ?? 0), q: totals.q - (q[token] ?? 0) };
    losses.candidate.add(loss.q);
    losses.reference.add(loss.p);
    differences.push(loss.q - loss.p);
    divergences.push(divergence({ p, q }, totals));
    agreements.push(likeliest(p) === likeliest(q) ? 1 : 0);
  });
  const sorted = divergences.toSorted((a, b) => a - b);
  return {
    candidate: losses.candidate.perplexity(),
    reference: losses.reference.perplexity(),
    logRatio: estimate(differences),
    klDivergence: {
      ...estimate(divergences),
      median: quantile(sorted, 0.5),
      percentile99: quantile(sorted, 0.99),
      largest: sorted.at(-1) ?? 0,
    },
    topAgreement: estimate(agreements),
  };
}

interface Pair<T> {
  readonly p: T;
  readonly q: T;
}

/** Rounding may make it a little less than 0 where both are the same; it is given as it comes. */
function divergence({ p, q }: Pair<Float32Array>, totals: Pair<number>): number {
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const logP = (p[i] ?? 0) - totals.p;
    // A token impossible to the reference contributes nothing, whatever the candidate says.
    if (logP === Number.NEGATIVE_INFINITY) continue;
    sum += Math.exp(logP) * (logP - ((q[i] ?? 0) - totals.q));
  }
  return sum;
}

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if ((logits[i] ?? 0) > (logits[best] ?? 0)) best = i;
  return best;
}

function estimate(values: readonly number[]): Estimate {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: count > 1 ? Math.sqrt(squares / (count - 1) / count) : 0 };
}
