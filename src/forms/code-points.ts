/**
 * Sets of Unicode code points and their spellings in UTF-8. Surrogates are no characters and never part of a set that
 * is written out: no text in UTF-8 has them.
 */
import { byteRange, choice, type Expression, sequence } from "./expression.ts";

/** Sorted ranges [first, last, first, last, …] that neither touch nor overlap. */
export type CodePoints = readonly number[];

const lastCodePoint = 0x10ffff;
export const anyCodePoint: CodePoints = [0, lastCodePoint];
/** All but the surrogates. */
const characters: CodePoints = [0, 0xd7ff, 0xe000, lastCodePoint];

/** The union of ranges in any order. */
export function codePoints(ranges: readonly (readonly [number, number])[]): CodePoints {
  const sorted = ranges.filter(([first, last]) => first <= last).sort((a, b) => a[0] - b[0]);
  const merged: number[] = [];
  for (const [first, last] of sorted) {
    const end = merged.at(-1);
    if (end !== undefined && first <= end + 1) merged[merged.length - 1] = Math.max(end, last);
    else merged.push(first, last);
  }
  return merged;
}

function* rangesOf(set: CodePoints): Generator<readonly [number, number]> {
  for (let at = 0; at + 1 < set.length; at += 2) yield [set[at] ?? 0, set[at + 1] ?? 0];
}

export function union(sets: readonly CodePoints[]): CodePoints {
  return codePoints(sets.flatMap((set) => [...rangesOf(set)]));
}

export function complement(set: CodePoints): CodePoints {
  const gaps: number[] = [];
  let from = 0;
  for (let at = 0; at < set.length; at += 2) {
    const first = set[at] ?? 0;
    if (from < first) gaps.push(from, first - 1);
    from = (set[at + 1] ?? 0) + 1;
  }
  if (from <= lastCodePoint) gaps.push(from, lastCodePoint);
  return gaps;
}

export function intersection(a: CodePoints, b: CodePoints): CodePoints {
  const common: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const lastOfA = a[i + 1] ?? 0;
    const lastOfB = b[j + 1] ?? 0;
    const first = Math.max(a[i] ?? 0, b[j] ?? 0);
    const last = Math.min(lastOfA, lastOfB);
    if (first <= last) common.push(first, last);
    if (lastOfA <= lastOfB) i += 2;
    if (lastOfB <= lastOfA) j += 2;
  }
  return common;
}

export function hasCodePoint(set: CodePoints, point: number): boolean {
  let low = 0;
  let high = set.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((set[2 * middle + 1] ?? 0) < point) low = middle + 1;
    else high = middle;
  }
  return 2 * low < set.length && (set[2 * low] ?? 0) <= point;
}

/** One character of the set, as bytes; surrogates are left out. */
export function utf8Of(set: CodePoints): Expression {
  const options: Expression[] = [];
  for (const [first, last] of rangesOf(intersection(set, characters))) {
    for (const [from, to, length] of lengths) {
      const start = Math.max(first, from);
      const end = Math.min(last, to);
      if (start <= end) addSequences(start, end, length, options);
    }
  }
  return choice(options);
}

/** First and last code point of each length in UTF-8. */
const lengths: readonly (readonly [number, number, number])[] = [
  [0, 0x7f, 1],
  [0x80, 0x7ff, 2],
  [0x800, 0xffff, 3],
  [0x10000, lastCodePoint, 4],
];

/** Splits a range until first and last differ only in trailing bytes that run through all their values. */
function addSequences(first: number, last: number, length: number, options: Expression[]): void {
  for (let tail = 1; tail < length; tail++) {
    const block = 1 << (6 * tail);
    if (Math.floor(first / block) === Math.floor(last / block)) continue;
    if (first % block !== 0) {
      const end = first - (first % block) + block - 1;
      addSequences(first, end, length, options);
      addSequences(end + 1, last, length, options);
      return;
    }
    if (last % block !== block - 1) {
      const start = last - (last % block);
      addSequences(first, start - 1, length, options);
      addSequences(start, last, length, options);
      return;
    }
  }
  const from = bytesOf(first);
  const to = bytesOf(last);
  options.push(sequence(...Array.from(from, (byte, i) => byteRange(byte, to[i] ?? byte))));
}

function bytesOf(point: number): Uint8Array {
  return Buffer.from(String.fromCodePoint(point), "utf8");
}
