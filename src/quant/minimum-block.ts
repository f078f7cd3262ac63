/**
 * What Q4_1 and Q5_1 share: blocks of 32 elements, x = d * q + m, that begin with d and m in f16. m is the smallest
 * value, d the distance to the largest in equal steps; where an importance is known, they are those that fit best, with
 * m <= 0. They differ in how the codes q are packed.
 * Source: ggml, quantize_row_q4_1_ref and quantize_row_q5_1_ref.
 */
import type { Codec, CodePacking } from "./codec.ts";
import { readHalf, roundToEven, writeHalf } from "./half.ts";
import { importanceWeights } from "./importance.ts";
import {
  largestOf,
  OffsetSearch,
  reciprocal,
  smallestOf,
  type ValuesToScale,
} from "./scale-search.ts";

const blockElements = 32;
/** Of the search, where an importance is known. */
const searched = { first: -1, candidates: 21 };
/** After d and m. */
export const packedAt = 4;
/** A code byte holds element i and element i + 16. */
export const halfElements = 16;

export function minimumCodec(format: CodePacking): Codec {
  const { type, blockBytes } = format;
  return {
    type,
    blockElements,
    blockBytes,
    dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
      const codes = new Uint8Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const at = sourceOffset + block * blockBytes;
        const to = targetOffset + block * blockElements;
        const d = readHalf(source, at);
        const m = readHalf(source, at + 2);
        format.unpack(source, at, codes);
        for (let i = 0; i < blockElements; i++) target[to + i] = d * codes[i]! + m;
      }
    },
    quantise: (source, sourceOffset, target, targetOffset, blocks, importance) => {
      const codes = new Uint8Array(blockElements);
      const { largestCode } = format;
      const search = new OffsetSearch({ groupElements: blockElements, largestCode, ...searched });
      const weights = new Float64Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const from = sourceOffset + block * blockElements;
        const to = targetOffset + block * blockBytes;
        const known = importanceWeights(source, from, importance, weights);
        if (known === undefined) {
          encodeRange({ source, from }, codes, largestCode, { target, to });
        } else {
          search.run(source, from, known);
          encodeFitted({ source, from }, codes, search, { target, to });
        }
        format.pack(codes, target, to);
      }
    },
  };
}

interface Place {
  readonly target: Uint8Array;
  readonly to: number;
}

/** The range of the values in even steps. Writes d and m. */
function encodeRange(
  { source, from }: ValuesToScale,
  codes: Uint8Array,
  largestCode: number,
  { target, to }: Place,
): void {
  const m = smallestOf(source, from, blockElements);
  const range = Math.fround(largestOf(source, from, blockElements) - m);
  const d = Math.fround(range / largestCode);
  const inverse = reciprocal(d);
  writeHalf(target, to, d);
  // Of a zero, the one without a sign.
  writeHalf(target, to + 2, m + 0);
  for (let i = 0; i < blockElements; i++) {
    codes[i] = Math.min(largestCode, toCode(source[from + i]! - m, inverse));
  }
}

function encodeFitted(
  { source, from }: ValuesToScale,
  codes: Uint8Array,
  fit: OffsetSearch,
  { target, to }: Place,
): void {
  const d = writeHalf(target, to, fit.scale);
  const m = writeHalf(target, to + 2, 0 - fit.offset);
  const inverse = d === 0 ? 0 : 1 / d;
  for (let i = 0; i < blockElements; i++) {
    const code = roundToEven((source[from + i]! - m) * inverse);
    codes[i] = Math.max(0, Math.min(fit.largestCode, code));
  }
}

/** As in ggml: float32 steps, halves round up. */
function toCode(aboveMinimum: number, inverse: number): number {
  return Math.fround(Math.fround(Math.fround(aboveMinimum) * inverse) + 0.5) | 0;
}
