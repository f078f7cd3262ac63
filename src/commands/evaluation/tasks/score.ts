/** From log-likelihoods of choices to right or wrong, and from many of those to accuracies with their errors. Pure. */
import type { Metric, Question } from "./question.ts";

export interface Accuracy {
  /** 0…1 */
  readonly mean: number;
  /** Sample standard deviation / √n, as the harness reports it; 0 for a single question. */
  readonly standardError: number;
  readonly questions: number;
}

export interface PairedDifference {
  /** Candidate minus reference, −1…1. */
  readonly mean: number;
  /** Of the differences question by question: what both find hard cancels out. */
  readonly standardError: number;
  /** Questions that only the candidate, and that only the reference, answered rightly. */
  readonly gained: number;
  readonly lost: number;
}

/** 1 when the choice that scores highest is the right one; of equal scores the first counts, as in the harness. */
export function scoreQuestion(
  question: Question,
  logLikelihoods: readonly number[],
  metric: Metric,
): 0 | 1 {
  const scores = logLikelihoods.map((value, i) =>
    metric === "acc" ? value : value / (question.choices[i]?.characters ?? 1),
  );
  return scores.indexOf(Math.max(...scores)) === question.gold ? 1 : 0;
}

export function accuracyOf(correct: readonly number[]): Accuracy {
  return { ...meanAndError(correct), questions: correct.length };
}

/** Both in the same order of questions. */
export function differenceOf(
  candidate: readonly number[],
  reference: readonly number[],
): PairedDifference {
  const differences = candidate.map((value, i) => value - (reference[i] ?? 0));
  return {
    ...meanAndError(differences),
    gained: differences.filter((difference) => difference > 0).length,
    lost: differences.filter((difference) => difference < 0).length,
  };
}

function meanAndError(values: readonly number[]): { mean: number; standardError: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: count > 1 ? Math.sqrt(squares / (count - 1) / count) : 0 };
}
