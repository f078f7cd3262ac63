/**
 * Types whose codes are indexes into a book of sixteen values: two codes a byte, the first half of the elements in the
 * low nibbles.
 * Source: ggml, kvalues_iq4nl and kvalues_mxfp4 (ggml-common.h); OCP Microscaling Formats 1.0, E2M1.
 */
import { negligible, signedLargest, type ValuesToScale } from "./scale-search.ts";

/** Dense about zero, as weights are. */
export const denseBook: readonly number[] = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/** E2M1, doubled to be whole: a sign, two bits of exponent, one of mantissa. Code 8 is a second zero. */
export const floatBook: readonly number[] = [
  0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
];

export interface BookCodes {
  readonly book: readonly number[];
  readonly scale: number;
  /** Elements that share the scale; the codes lie in half as many bytes. */
  readonly count: number;
}

export function readBookCodes(
  from: { readonly source: Uint8Array; readonly at: number },
  to: { readonly target: Float32Array; readonly at: number },
  { book, scale, count }: BookCodes,
): void {
  const half = count / 2;
  for (let i = 0; i < half; i++) {
    const pair = from.source[from.at + i]!;
    to.target[to.at + i] = scale * book[pair & 15]!;
    to.target[to.at + half + i] = scale * book[pair >> 4]!;
  }
}

/** Codes of the nearest values, of two the first. */
export function writeBookCodes(
  from: { readonly source: Float32Array; readonly at: number },
  to: { readonly target: Uint8Array; readonly at: number },
  { book, scale, count }: BookCodes,
): void {
  const half = count / 2;
  const inverse = scale === 0 ? 0 : 1 / scale;
  const nearest = book === denseBook ? nearestDense : nearestFloat;
  for (let i = 0; i < half; i++) {
    const low = nearest(from.source[from.at + i]! * inverse);
    const high = nearest(from.source[from.at + half + i]! * inverse);
    to.target[to.at + i] = low | (high << 4);
  }
}

/** Halfway between the values of a rising book. */
function middlesOf(values: readonly number[]): readonly number[] {
  return values.slice(1).map((value, i) => (value + values[i]!) / 2);
}

const denseMiddles = middlesOf(denseBook);
/** Codes 0..7 of the float book rise; 8 + code is the same with a minus. */
const floatMiddles = middlesOf(floatBook.slice(0, 8));

function nearestDense(value: number): number {
  return countBelow(denseMiddles, value);
}

function nearestFloat(value: number): number {
  const code = countBelow(floatMiddles, Math.abs(value));
  return value < 0 && code > 0 ? code + 8 : code;
}

function countBelow(limits: readonly number[], value: number): number {
  let count = 0;
  for (const limit of limits) if (value > limit) count++;
  return count;
}

/** How far the search for a scale goes to both sides, in units of the dense book. Source: ggml, quantize_row_iq4_nl_impl. */
const tries = 7;

/**
 * The scale of `count` values in the dense book that leaves the least error, weighted by x^2 without `weights`; 0 for zeros.
 * It may be negative: the book reaches further on one side.
 */
export function searchBookScale({ source, from, weights }: ValuesToScale, count: number): number {
  const largest = signedLargest(source, from, count);
  if (Math.abs(largest) < negligible) return 0;
  let bestScale = 0;
  let bestGain = 0;
  for (let step = -tries; step <= tries; step++) {
    const inverse = (step + denseBook[0]!) / largest;
    let sumXQ = 0;
    let sumQQ = 0;
    for (let i = 0; i < count; i++) {
      const x = source[from + i]!;
      const q = denseBook[nearestDense(x * inverse)]!;
      const wq = (weights === undefined ? x * x : weights[i]!) * q;
      sumXQ += wq * x;
      sumQQ += wq * q;
    }
    if (sumQQ > 0 && sumXQ * sumXQ > bestGain * sumQQ) {
      bestScale = sumXQ / sumQQ;
      bestGain = bestScale * sumXQ;
    }
  }
  return bestScale;
}
