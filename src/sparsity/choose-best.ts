/**
 * Which of the measured methods a model should run with: of those that keep the asked quality, the one that reads the
 * fewest bytes for a token. The dense model always qualifies, so there always is one.
 */

import { percent } from "../core/numbers.ts";
import type { Tokens } from "../core/units.ts";
import type { MethodName } from "./method-names.ts";
import type { MethodMeasurement, ThresholdTable } from "./sidecar/sidecar.ts";

/** A measurement with its error bars, which a sidecar does not keep. */
export interface MethodReport extends MethodMeasurement {
  /** Of the perplexity. */
  readonly perplexityError: number;
  /** Perplexity over the dense one, less 1: compared target by target, so its error is far smaller than either's. */
  readonly perplexityLoss: number;
  readonly lossError: number;
  /** How many tokens it was judged by: those of the whole check, or fewer where it was rejected early. */
  readonly judgedTokens: Tokens;
  /** Of tokens per second, over the dense ones; predicted from bytes, and measured. */
  readonly predictedSpeedup: number;
  readonly measuredSpeedup: number;
  /** Share of the compared weights that it is meant to leave out: neurons, or inputs of each matrix. For the picture. */
  readonly skippedShare: number;
  /** The thresholds of a "threshold" method. */
  readonly table?: ThresholdTable;
}

export interface ChosenMethod {
  readonly best: MethodReport;
  /** One sentence with the numbers that decided. */
  readonly reason: string;
}

/**
 * A loss counts with one standard error on top: a lucky measurement must not let a worse point through. A gain counts as a
 * loss: skipping neurons adds no knowledge, so that much of it only says that the model has become another one.
 */
export function keepsQuality(
  { perplexityLoss, lossError }: Pick<MethodReport, "perplexityLoss" | "lossError">,
  maxPerplexityLoss: number,
): boolean {
  return Math.abs(perplexityLoss) + lossError <= maxPerplexityLoss;
}

/** Whose bytes are compared: attention's too where a method reads fewer of them. The same for every method of a model. */
export type ComparedMatrices = "feed-forward" | "feed-forward and attention";

/** On what terms methods are compared: the quality one may cost, and the matrices whose bytes count. */
export interface ComparisonTerms {
  readonly maxPerplexityLoss: number;
  readonly matrices: ComparedMatrices;
  /** Names of the corpora that the text of the check is from. */
  readonly checkedOn: readonly string[];
}

/** @throws RangeError without a dense measurement. */
export function chooseBest(
  reports: readonly MethodReport[],
  comparison: ComparisonTerms,
): ChosenMethod {
  const { maxPerplexityLoss } = comparison;
  const dense = reports.find(({ method }) => method === "dense");
  if (dense === undefined) throw new RangeError("methods are compared with the dense one");
  const good = reports.filter(
    (report) =>
      report === dense ||
      (report.judgedTokens >= dense.judgedTokens && keepsQuality(report, maxPerplexityLoss)),
  );
  const best = good.reduce((least, report) =>
    report.bytesPerToken < least.bytesPerToken ? report : least,
  );
  return { best, reason: reasonFor(best, dense, comparison) };
}

function reasonFor(
  best: MethodReport,
  dense: MethodReport,
  { maxPerplexityLoss, matrices, checkedOn }: ComparisonTerms,
): string {
  const limit = `${(100 * maxPerplexityLoss).toFixed(1)} %`;
  if (best.method === "dense") {
    return `nothing that was measured reads fewer bytes and changes perplexity by at most ${limit}`;
  }
  const share = percent(best.bytesPerToken / dense.bytesPerToken, 0);
  const loss = `${signed(100 * best.perplexityLoss)} ± ${(100 * best.lossError).toFixed(2)} %`;
  return `${nameOf(best)} reads ${share} of the ${matrices} bytes and changes perplexity by ${loss} on held-out tokens of ${checkedOn.join(", ")} (at most ${limit} was asked)`;
}

/** "threshold gate 20 %" */
export function nameOf({ method, variant }: { method: MethodName; variant: string }): string {
  return variant === "" ? method : `${method} ${variant}`;
}

function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(2)}`;
}
