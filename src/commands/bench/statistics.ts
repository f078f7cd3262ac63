/** What repeated measurements say: the median, and the whole range as its spread. Pure. */
import { quantile } from "../../core/numbers.ts";

/** Median with the least and the greatest of the samples: for a handful of runs, a range hides nothing. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** In the order in which they were taken. */
  readonly samples: readonly number[];
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    low: sorted[0] ?? Number.NaN,
    high: sorted.at(-1) ?? Number.NaN,
    samples,
  };
}

/** Ratios of samples taken in the same round: what slows both down for a moment cancels out. */
export function ratioOf(own: readonly number[], other: readonly number[]): Spread {
  return spreadOf(own.map((value, round) => value / (other[round] ?? Number.NaN)));
}

/** Where the median of all rounds that could have been measured lies, whatever their distribution. */
export interface MedianInterval {
  readonly low: number;
  readonly high: number;
  /** Chance that the median lies there, 0…1: at least 0.95, and less for fewer than six samples. */
  readonly confidence: number;
}

/**
 * From the sample of rank k to that of rank n + 1 − k, by the largest k with P(Binomial(n, ½) < k) ≤ 2.5 %: each sample
 * lies on either side of the median by the toss of a coin. 15 samples: ranks 4 to 12, 96.5 %.
 */
export function medianInterval(samples: readonly number[]): MedianInterval {
  const sorted = samples.toSorted((a, b) => a - b);
  const count = sorted.length;
  let rank = 1;
  // P(exactly 0 below the median); then the sum of those of fewer than `rank`.
  let chance = 0.5 ** count;
  let below = chance;
  for (;;) {
    chance *= (count - rank + 1) / rank;
    if (below + chance > 0.025) break;
    below += chance;
    rank++;
  }
  return {
    low: sorted[rank - 1] ?? Number.NaN,
    high: sorted[count - rank] ?? Number.NaN,
    confidence: 1 - 2 * below,
  };
}
