/** What repeated measurements say: the median, and the whole range as its spread. Pure. */

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
  const middle = (sorted.length - 1) / 2;
  const below = sorted[Math.floor(middle)] ?? Number.NaN;
  const above = sorted[Math.ceil(middle)] ?? Number.NaN;
  return {
    median: (below + above) / 2,
    low: sorted[0] ?? Number.NaN,
    high: sorted.at(-1) ?? Number.NaN,
    samples,
  };
}

/** Ratios of samples taken in the same round: what slows both down for a moment cancels out. */
export function ratioOf(own: readonly number[], other: readonly number[]): Spread {
  return spreadOf(own.map((value, round) => value / (other[round] ?? Number.NaN)));
}
