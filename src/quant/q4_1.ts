/**
 * Q4_1: 32 elements in 20 bytes, x = d * q + m.
 *
 *   byte  0   2   4                                  20
 *         | d | m | q[0]|q[16]<<4 ... q[15]|q[31]<<4  |     d, m: f16, q: 0..15
 *
 * Source: ggml, block_q4_1 and quantize_row_q4_1_ref.
 */
import type { Codec } from "./codec.ts";
import { readHalf, writeHalf } from "./half.ts";
import { largestOf, smallestOf } from "./scale-search.ts";

const blockElements = 32;
const blockBytes = 20;
const half = 16;

export const q4_1Codec: Codec = {
  type: "Q4_1",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = targetOffset + block * blockElements;
      const d = readHalf(source, at);
      const m = readHalf(source, at + 2);
      for (let i = 0; i < half; i++) {
        const pair = source[at + 4 + i]!;
        target[to + i] = d * (pair & 15) + m;
        target[to + half + i] = d * (pair >> 4) + m;
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const from = sourceOffset + block * blockElements;
      const to = targetOffset + block * blockBytes;
      const m = smallestOf(source, from, blockElements);
      const d = Math.fround(Math.fround(largestOf(source, from, blockElements) - m) / 15);
      const inverse = d === 0 ? 0 : Math.fround(1 / d);
      writeHalf(target, to, d);
      writeHalf(target, to + 2, m);
      for (let i = 0; i < half; i++) {
        const low = Math.min(15, toCode(source[from + i]! - m, inverse));
        const high = Math.min(15, toCode(source[from + half + i]! - m, inverse));
        target[to + 4 + i] = low | (high << 4);
      }
    }
  },
};

/** As in ggml: float32 steps, halves round up. */
function toCode(aboveMinimum: number, inverse: number): number {
  return Math.fround(Math.fround(Math.fround(aboveMinimum) * inverse) + 0.5) | 0;
}
