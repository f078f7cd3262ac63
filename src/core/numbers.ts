/** Small questions about numbers, and numbers as people read them. */

/** A number to so many digits, without an exponent: 12346 is "12350" to four, 0.5 is "0.5". */
export function significant(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}

/** 0.1234 → "12.3 %" with one decimal. */
export function percent(share: number, decimals: number): string {
  return `${(100 * share).toFixed(decimals)} %`;
}

/** NaN for no values. */
export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Of values in rising order; linear between the two nearest, as numpy's default. NaN for no values. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
}

/** The lowest index among the largest values; undefined where one is NaN or the largest infinite. */
export function indexOfLargest(values: Float32Array): number | undefined {
  let best: number | undefined;
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? largest;
    if (value <= largest) continue;
    if (Number.isNaN(value)) return undefined;
    largest = value;
    best = i;
  }
  return largest === Number.POSITIVE_INFINITY ? undefined : best;
}
