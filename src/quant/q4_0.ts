/**
 * Q4_0: 32 elements in 18 bytes, x = d * (q - 8).
 *
 *   byte  0   2                                  18
 *         | d | q[0]|q[16]<<4 ... q[15]|q[31]<<4  |     d: f16, q: 0..15
 *
 * Source: ggml, block_q4_0 and quantize_row_q4_0_ref.
 */
import type { Codec } from "./codec.ts";
import { readHalf, writeHalf } from "./half.ts";
import { signedLargest } from "./scale-search.ts";

const blockElements = 32;
const blockBytes = 18;
const half = 16;

export const q4_0Codec: Codec = {
  type: "Q4_0",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = targetOffset + block * blockElements;
      const d = readHalf(source, at);
      for (let i = 0; i < half; i++) {
        const pair = source[at + 2 + i]!;
        target[to + i] = d * ((pair & 15) - 8);
        target[to + half + i] = d * ((pair >> 4) - 8);
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const from = sourceOffset + block * blockElements;
      const to = targetOffset + block * blockBytes;
      // The value of largest magnitude, sign and all, gets code 0: -8 steps; the other side reaches +7 only.
      const d = signedLargest(source, from, blockElements) / -8;
      const inverse = d === 0 ? 0 : Math.fround(1 / d);
      writeHalf(target, to, d);
      for (let i = 0; i < half; i++) {
        const low = Math.min(15, toCode(source[from + i]! * inverse));
        const high = Math.min(15, toCode(source[from + half + i]! * inverse));
        target[to + 2 + i] = low | (high << 4);
      }
    }
  },
};

/** As in ggml: float32 steps, the half that rounds is added to the offset. */
function toCode(scaled: number): number {
  return Math.fround(Math.fround(scaled) + 8.5) | 0;
}
