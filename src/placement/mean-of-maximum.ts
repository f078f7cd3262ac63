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

/** Beyond so many deviations Φ is 0 or 1 to the last bit that a sum of seconds keeps. */
const far = 8;

/**
 * Φ(x) = ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …), to the last bits: a cruder one would bend costs that the solver takes to be convex.
 * Source: G. Marsaglia, Evaluating the normal distribution, Journal of Statistical Software 11 (2004).
 */
function normalBelow(x: number): number {
  if (Math.abs(x) > far) return x > 0 ? 1 : 0;
  let term = x;
  let sum = x;
  for (let i = 3; Math.abs(term) > Number.EPSILON * Math.abs(sum); i += 2) {
    term *= (x * x) / i;
    sum += term;
  }
  return 0.5 + sum * normalDensity(x);
}
