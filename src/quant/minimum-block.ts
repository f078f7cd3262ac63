/**
 * What Q4_1 and Q5_1 share: blocks of 32 elements, x = d * q + m, that begin with d and m in f16. m is the smallest
 * value, d the distance to the largest in equal steps. They differ in how the codes q are packed.
 * Source: ggml, quantize_row_q4_1_ref and quantize_row_q5_1_ref.
 */
import type { Codec, CodePacking } from "./codec.ts";
import { readHalf, writeHalf } from "./half.ts";
import { largestOf, smallestOf } from "./scale-search.ts";

const blockElements = 32;
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
    quantise: (source, sourceOffset, target, targetOffset, blocks) => {
      const codes = new Uint8Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const from = sourceOffset + block * blockElements;
        const to = targetOffset + block * blockBytes;
        const m = smallestOf(source, from, blockElements);
        const range = Math.fround(largestOf(source, from, blockElements) - m);
        const d = Math.fround(range / format.largestCode);
        const inverse = d === 0 ? 0 : Math.fround(1 / d);
        writeHalf(target, to, d);
        writeHalf(target, to + 2, m);
        for (let i = 0; i < blockElements; i++) {
          codes[i] = Math.min(format.largestCode, toCode(source[from + i]! - m, inverse));
        }
        format.pack(codes, target, to);
      }
    },
  };
}

/** As in ggml: float32 steps, halves round up. */
function toCode(aboveMinimum: number, inverse: number): number {
  return Math.fround(Math.fround(Math.fround(aboveMinimum) * inverse) + 0.5) | 0;
}
