/**
 * Two devices work side by side, and the slower one sets the time. Which one that is changes from token to token, so the mean
 * of the larger time is above the larger of the mean times.
 * Source: C. E. Clark, The greatest of a finite set of random variables, Operations Research 9 (1961), for two
 * independent normal ones.
 */

/** A time that varies: mean and variance, in seconds and seconds². */
export interface VaryingTime {
  readonly mean: number;
  readonly variance: number;
}

/** E[max(a, b)]: never below the larger mean. */
export function meanOfMaximum(a: VaryingTime, b: VaryingTime): number {
  const spread = Math.sqrt(a.variance + b.variance);
  if (spread === 0) return Math.max(a.mean, b.mean);
  const distance = (a.mean - b.mean) / spread;
  const share = normalBelow(distance);
  const mean = a.mean * share + b.mean * (1 - share) + spread * normalDensity(distance);
  return Math.max(mean, a.mean, b.mean);
}

function normalDensity(x: number): number {
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
}

/** Φ(x) within 7.5e-8 (Abramowitz and Stegun, 26.2.17). */
function normalBelow(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const terms = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const tail = normalDensity(x) * terms.reduceRight((sum, term) => (sum + term) * t, 0);
  return x >= 0 ? 1 - tail : tail;
}
