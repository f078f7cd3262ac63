/**
 * Q5_1: 32 elements in 24 bytes, x = d * q + m.
 *
 *   byte  0   2   4    8                                  24
 *         | d | m | qh | q[0]|q[16]<<4 ... q[15]|q[31]<<4  |     d, m: f16, q: 0..31
 *
 * The nibbles are the low four bits of q; bit i of qh (u32, little endian) is the fifth bit of q[i].
 * Source: ggml, block_q5_1 and quantize_row_q5_1_ref.
 */
import type { Codec } from "./codec.ts";
import { readHalf, writeHalf } from "./half.ts";
import { largestOf, smallestOf } from "./scale-search.ts";

const blockElements = 32;
const blockBytes = 24;
const half = 16;

export const q5_1Codec: Codec = {
  type: "Q5_1",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = targetOffset + block * blockElements;
      const d = readHalf(source, at);
      const m = readHalf(source, at + 2);
      const lowHigh = source[at + 4]! | (source[at + 5]! << 8);
      const highHigh = source[at + 6]! | (source[at + 7]! << 8);
      for (let i = 0; i < half; i++) {
        const pair = source[at + 8 + i]!;
        target[to + i] = d * ((pair & 15) | (((lowHigh >> i) & 1) << 4)) + m;
        target[to + half + i] = d * ((pair >> 4) | (((highHigh >> i) & 1) << 4)) + m;
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const from = sourceOffset + block * blockElements;
      const to = targetOffset + block * blockBytes;
      const m = smallestOf(source, from, blockElements);
      const d = Math.fround(Math.fround(largestOf(source, from, blockElements) - m) / 31);
      const inverse = d === 0 ? 0 : Math.fround(1 / d);
      writeHalf(target, to, d);
      writeHalf(target, to + 2, m);
      let lowHigh = 0;
      let highHigh = 0;
      for (let i = 0; i < half; i++) {
        const low = Math.min(31, toCode(source[from + i]! - m, inverse));
        const high = Math.min(31, toCode(source[from + half + i]! - m, inverse));
        target[to + 8 + i] = (low & 15) | ((high & 15) << 4);
        lowHigh |= (low >> 4) << i;
        highHigh |= (high >> 4) << i;
      }
      target[to + 4] = lowHigh & 255;
      target[to + 5] = lowHigh >> 8;
      target[to + 6] = highHigh & 255;
      target[to + 7] = highHigh >> 8;
    }
  },
};

/** As in ggml: float32 steps, halves round up. */
function toCode(aboveMinimum: number, inverse: number): number {
  return Math.fround(Math.fround(Math.fround(aboveMinimum) * inverse) + 0.5) | 0;
}
