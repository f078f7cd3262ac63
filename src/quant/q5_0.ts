/**
 * Q5_0: 32 elements in 22 bytes, x = d * (q - 16).
 *
 *   byte  0   2    6                                  22
 *         | d | qh | q[0]|q[16]<<4 ... q[15]|q[31]<<4  |     d: f16, q: 0..31
 *
 * The nibbles are the low four bits of q; bit i of qh (u32, little endian) is the fifth bit of q[i].
 * Source: ggml, block_q5_0 and quantize_row_q5_0_ref.
 */
import type { Codec } from "./codec.ts";
import { readHalf, writeHalf } from "./half.ts";
import { signedLargest } from "./scale-search.ts";

const blockElements = 32;
const blockBytes = 22;
const half = 16;

export const q5_0Codec: Codec = {
  type: "Q5_0",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = targetOffset + block * blockElements;
      const d = readHalf(source, at);
      const lowHigh = source[at + 2]! | (source[at + 3]! << 8);
      const highHigh = source[at + 4]! | (source[at + 5]! << 8);
      for (let i = 0; i < half; i++) {
        const pair = source[at + 6 + i]!;
        target[to + i] = d * (((pair & 15) | (((lowHigh >> i) & 1) << 4)) - 16);
        target[to + half + i] = d * (((pair >> 4) | (((highHigh >> i) & 1) << 4)) - 16);
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const from = sourceOffset + block * blockElements;
      const to = targetOffset + block * blockBytes;
      const d = signedLargest(source, from, blockElements) / -16;
      const inverse = d === 0 ? 0 : Math.fround(1 / d);
      writeHalf(target, to, d);
      let lowHigh = 0;
      let highHigh = 0;
      for (let i = 0; i < half; i++) {
        const low = Math.min(31, toCode(source[from + i]! * inverse));
        const high = Math.min(31, toCode(source[from + half + i]! * inverse));
        target[to + 6 + i] = (low & 15) | ((high & 15) << 4);
        lowHigh |= (low >> 4) << i;
        highHigh |= (high >> 4) << i;
      }
      target[to + 2] = lowHigh & 255;
      target[to + 3] = lowHigh >> 8;
      target[to + 4] = highHigh & 255;
      target[to + 5] = highHigh >> 8;
    }
  },
};

/** As in ggml: float32 steps, the half that rounds is added to the offset. */
function toCode(scaled: number): number {
  return Math.fround(Math.fround(scaled) + 16.5) | 0;
}
