/**
 * Which share of the time each neuron is to fire, the thresholds that make it so, and how large h then is:
 * the arithmetic behind `--active` and `--skew`. All of it for a pre-activation that is normally distributed.
 */
import type { Random } from "../../src/core/random.ts";

/** A neuron that always fires needs a threshold of minus infinity; this is one in twenty tokens off. */
const highestProbability = 0.95;

/**
 * p of neuron with rank k is proportional to (k + 1)^-skew, at most 0.95, and their mean is `active`;
 * ranks are dealt to neurons at random.
 */
export function neuronProbabilities(request: {
  readonly neurons: number;
  readonly active: number;
  readonly skew: number;
  readonly random: Random;
}): Float64Array {
  const { neurons, active, skew, random } = request;
  const weights = Float64Array.from({ length: neurons }, (_, rank) => (rank + 1) ** -skew);
  const at = (factor: number): Float64Array =>
    weights.map((weight) => Math.min(highestProbability, factor * weight));
  let low = 0;
  let high = highestProbability * neurons ** skew;
  // 60 halvings leave less than a double can tell.
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (mean(at(middle)) < active) low = middle;
    else high = middle;
  }
  return shuffle(at(high), random);
}

/** The z that a standard normal variable exceeds with probability p. */
export function exceededWith(p: number): number {
  return -inverseNormal(p);
}

/** E[max(z - t, 0)^2] for standard normal z. */
export function reluSecondMoment(t: number): number {
  return (1 + t * t) * upperTail(t) - t * density(t);
}

/** E[max(z - t, 0)^4] for standard normal z. */
export function reluFourthMoment(t: number): number {
  return (t ** 4 + 6 * t * t + 3) * upperTail(t) - (t ** 3 + 5 * t) * density(t);
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function shuffle(values: Float64Array, random: Random): Float64Array {
  for (let index = values.length - 1; index > 0; index--) {
    const other = random.integer(index + 1);
    const value = values[index]!;
    values[index] = values[other]!;
    values[other] = value;
  }
  return values;
}

function density(z: number): number {
  return Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
}

/** P(Z > z). Abramowitz and Stegun 26.2.17: absolute error below 7.5e-8. */
function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const k = 1 / (1 + 0.2316419 * z);
  const series =
    k *
    (0.31938153 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))));
  return density(z) * series;
}

/** The quantile function of the normal distribution. P. J. Acklam's approximation, relative error below 1.2e-9. */
function inverseNormal(p: number): number {
  if (p > 0.5) return -inverseNormal(1 - p);
  const tail = 0.02425;
  if (p < tail) {
    const q = Math.sqrt(-2 * Math.log(p));
    return polynomial(tailNumerator, q) / (polynomial(tailDenominator, q) * q + 1);
  }
  const q = p - 0.5;
  const r = q * q;
  return (polynomial(middleNumerator, r) * q) / (polynomial(middleDenominator, r) * r + 1);
}

const middleNumerator = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2,
  -3.066479806614716e1, 2.506628277459239,
];
const middleDenominator = [
  -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1,
  -1.328068155288572e1,
];
const tailNumerator = [
  -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734,
  4.374664141464968, 2.938163982698783,
];
const tailDenominator = [
  7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416,
];

function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
}
