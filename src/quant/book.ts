/**
 * Types whose codes are indexes into a book of sixteen values: two codes a byte, the first half of the elements in the
 * low nibbles.
 * Source: ggml, kvalues_iq4nl and kvalues_mxfp4 (ggml-common.h); OCP Microscaling Formats 1.0, E2M1.
 */

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

/** Codes of the nearest values. */
export function writeBookCodes(
  from: { readonly source: Float32Array; readonly at: number },
  to: { readonly target: Uint8Array; readonly at: number },
  { book, scale, count }: BookCodes,
): void {
  const half = count / 2;
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < half; i++) {
    const low = nearest(book, from.source[from.at + i]! * inverse);
    const high = nearest(book, from.source[from.at + half + i]! * inverse);
    to.target[to.at + i] = low | (high << 4);
  }
}

/** The first of the values that are nearest. */
function nearest(book: readonly number[], value: number): number {
  let best = 0;
  for (let code = 1; code < book.length; code++) {
    if (Math.abs(book[code]! - value) < Math.abs(book[best]! - value)) best = code;
  }
  return best;
}

/** How far the search for a scale goes to both sides, in units of the dense book. Source: ggml, quantize_row_iq4_nl_impl. */
const tries = 7;

/**
 * The scale of `count` values in the dense book that leaves the least error, weighted by x^2; 0 for zeros. It may be
 * negative: the book reaches further on one side.
 */
export function searchBookScale(source: Float32Array, from: number, count: number): number {
  let largest = 0;
  for (let i = 0; i < count; i++) {
    if (Math.abs(source[from + i]!) > Math.abs(largest)) largest = source[from + i]!;
  }
  if (Math.abs(largest) < 1e-15) return 0;
  let bestScale = 0;
  let bestGain = 0;
  for (let step = -tries; step <= tries; step++) {
    const inverse = (step + denseBook[0]!) / largest;
    let sumXQ = 0;
    let sumQQ = 0;
    for (let i = 0; i < count; i++) {
      const x = source[from + i]!;
      const q = denseBook[nearest(denseBook, x * inverse)]!;
      sumXQ += x * x * x * q;
      sumQQ += x * x * q * q;
    }
    if (sumQQ > 0 && sumXQ * sumXQ > bestGain * sumQQ) {
      bestScale = sumXQ / sumQQ;
      bestGain = bestScale * sumXQ;
    }
  }
  return bestScale;
}
