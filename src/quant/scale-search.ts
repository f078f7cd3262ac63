/**
 * How the quantisers choose scales: the extremes of a block, and for the K formats a search over slightly wider and
 * narrower steps that keeps the one with the least weighted squared error.
 * Source: ggml's make_qkx2_quants and make_qx_quants; here the error comes from the sums of the least-squares fit,
 * so that a candidate needs one pass instead of two.
 */
import { roundToEven } from "./half.ts";

/** Below this a group counts as zero (ggml's GROUP_MAX_EPS): its inverse would overflow float32. */
export const negligible = 1e-15;

export function largestOf(values: Float32Array, from: number, count: number): number {
  let largest = values[from]!;
  for (let i = 1; i < count; i++) largest = Math.max(largest, values[from + i]!);
  return largest;
}

export function smallestOf(values: Float32Array, from: number, count: number): number {
  let smallest = values[from]!;
  for (let i = 1; i < count; i++) smallest = Math.min(smallest, values[from + i]!);
  return smallest;
}

/** The value of largest magnitude, with its sign. */
export function signedLargest(values: Float32Array, from: number, count: number): number {
  let largest = 0;
  for (let i = 0; i < count; i++) {
    if (Math.abs(values[from + i]!) > Math.abs(largest)) largest = values[from + i]!;
  }
  return largest;
}

/** Not a number becomes the low end. */
function clamp(value: number, low: number, high: number): number {
  return value > low ? Math.min(value, high) : low;
}

/** 1 / d in float32, or 0 where that is no number: d is zero, or too small for blocks to be worth a code. */
export function reciprocal(d: number): number {
  const inverse = Math.fround(1 / d);
  return Number.isFinite(inverse) ? inverse : 0;
}

/** Values from `from` on, with how much each of them counts. */
export interface ValuesToScale {
  readonly source: Float32Array;
  readonly from: number;
  readonly weights?: Float64Array | undefined;
}

export interface OffsetSearchOptions {
  /** Elements that share a scale and an offset. */
  readonly groupElements: number;
  /** Codes are 0..largestCode. */
  readonly largestCode: number;
  /** Candidate k divides the range into largestCode + first + 0.1 * k steps. */
  readonly first: number;
  readonly candidates: number;
}

/** Finds x ~ scale * q - offset with offset >= 0; large values count for more, by |x| + rms. */
export class OffsetSearch {
  /** The results of the last `run`. */
  scale = 0;
  offset = 0;
  readonly largestCode: number;
  readonly #options: OffsetSearchOptions;
  readonly #values: Float64Array;
  readonly #weights: Float64Array;
  #sumW = 0;
  #sumX = 0;
  #sumXX = 0;
  #minError = 0;

  constructor(options: OffsetSearchOptions) {
    this.#options = options;
    this.largestCode = options.largestCode;
    this.#values = new Float64Array(options.groupElements);
    this.#weights = new Float64Array(options.groupElements);
  }

  /** `weights`: how much each element counts, in place of |x| + rms. */
  run(values: Float32Array, from: number, weights?: Float64Array): void {
    const { groupElements, largestCode, first, candidates } = this.#options;
    const low = Math.min(0, smallestOf(values, from, groupElements));
    const high = largestOf(values, from, groupElements);
    this.scale = 0;
    this.offset = -low;
    if (high <= low) return;
    this.#weigh(values, from, weights);
    this.#minError = Number.POSITIVE_INFINITY;
    this.#tryPlain(largestCode / (high - low));
    // A better candidate moves the offset, and with it where the next ones begin.
    for (let candidate = 0; candidate < candidates; candidate++) {
      const range = high + this.offset;
      if (range > 0) this.#tryFitted((largestCode + first + 0.1 * candidate) / range);
    }
  }

  #weigh(values: Float32Array, from: number, weights: Float64Array | undefined): void {
    const count = this.#values.length;
    let squares = 0;
    for (let i = 0; i < count; i++) squares += values[from + i]! * values[from + i]!;
    const rms = Math.sqrt(squares / count);
    this.#sumW = 0;
    this.#sumX = 0;
    this.#sumXX = 0;
    for (let i = 0; i < count; i++) {
      const x = values[from + i]!;
      const w = weights === undefined ? rms + Math.abs(x) : weights[i]!;
      this.#values[i] = x;
      this.#weights[i] = w;
      this.#sumW += w;
      this.#sumX += w * x;
      this.#sumXX += w * x * x;
    }
  }

  /** The whole range in largestCode even steps, as it is. */
  #tryPlain(inverse: number): void {
    const { sumL, sumLL, sumXL } = this.#codeSums(inverse);
    this.#keepIfBetter({ scale: 1 / inverse, minimum: -this.offset, sumL, sumLL, sumXL });
  }

  /** The codes of this step, with the scale and minimum that fit them best (weighted least squares). */
  #tryFitted(inverse: number): void {
    const { sumL, sumLL, sumXL } = this.#codeSums(inverse);
    const determinant = this.#sumW * sumLL - sumL * sumL;
    if (!(determinant > 0)) return;
    let scale = (this.#sumW * sumXL - this.#sumX * sumL) / determinant;
    let minimum = (sumLL * this.#sumX - sumL * sumXL) / determinant;
    if (minimum > 0) {
      minimum = 0;
      scale = sumXL / sumLL;
    }
    this.#keepIfBetter({ scale, minimum, sumL, sumLL, sumXL });
  }

  /** Weighted sums over the codes l that this step leads to: of l, l^2 and x * l. */
  #codeSums(inverse: number): { sumL: number; sumLL: number; sumXL: number } {
    const values = this.#values;
    const weights = this.#weights;
    const { offset } = this;
    const { largestCode } = this.#options;
    let sumL = 0;
    let sumLL = 0;
    let sumXL = 0;
    for (let i = 0; i < values.length; i++) {
      const x = values[i]!;
      const l = roundToEven(clamp((x + offset) * inverse, 0, largestCode));
      const wl = weights[i]! * l;
      sumL += wl;
      sumLL += wl * l;
      sumXL += wl * x;
    }
    return { sumL, sumLL, sumXL };
  }

  #keepIfBetter(fit: {
    scale: number;
    minimum: number;
    sumL: number;
    sumLL: number;
    sumXL: number;
  }): void {
    const { scale, minimum, sumL, sumLL, sumXL } = fit;
    // The sum of w * (scale * l + minimum - x)^2, multiplied out.
    const squares = scale * scale * sumLL + minimum * minimum * this.#sumW + this.#sumXX;
    const mixed = scale * minimum * sumL - scale * sumXL - minimum * this.#sumX;
    const error = squares + 2 * mixed;
    if (!(error < this.#minError)) return;
    this.#minError = error;
    this.scale = scale;
    this.offset = -minimum;
  }
}

/**
 * The scale of `count` values with codes -half..half-1, x ~ scale * q; weighted by x^2 without `weights`. 0 for negligible
 * values.
 */
export function searchSignedScale(
  { source: values, from, weights }: ValuesToScale,
  count: number,
  half: number,
): number {
  const largest = signedLargest(values, from, count);
  if (Math.abs(largest) < negligible) return 0;
  let bestScale = 0;
  let bestGain = 0;
  // The middle first, so that a tie keeps it.
  for (let candidate = 0; candidate <= 18; candidate++) {
    const step = candidate % 2 === 0 ? candidate / 2 : -(candidate + 1) / 2;
    const inverse = -(half + 0.1 * step) / largest;
    let sumXL = 0;
    let sumLL = 0;
    for (let i = 0; i < count; i++) {
      const x = values[from + i]!;
      const l = roundToEven(clamp(x * inverse, -half, half - 1));
      const wl = (weights === undefined ? x * x : weights[i]!) * l;
      sumXL += wl * x;
      sumLL += wl * l;
    }
    // The least squares scale sumXL / sumLL removes sumXL^2 / sumLL of the error.
    if (sumLL > 0 && sumXL * sumXL > bestGain * sumLL) {
      bestScale = sumXL / sumLL;
      bestGain = bestScale * sumXL;
    }
  }
  return bestScale;
}
