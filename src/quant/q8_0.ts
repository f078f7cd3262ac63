/**
 * Q8_0: 32 elements in 34 bytes, x = d * q.
 *
 *   byte  0   2                                  34
 *         | d | q[0] q[1] ... q[31]               |     d: f16, q: int8
 *
 * Source: ggml, block_q8_0 and quantize_row_q8_0_ref.
 */
import type { Codec } from "./codec.ts";
import { readHalf, writeHalf } from "./half.ts";
import { reciprocal } from "./scale-search.ts";

const blockElements = 32;
const blockBytes = 34;

export const q8_0Codec: Codec = {
  type: "Q8_0",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = targetOffset + block * blockElements;
      const d = readHalf(source, at);
      for (let i = 0; i < blockElements; i++) {
        target[to + i] = d * ((source[at + 2 + i]! << 24) >> 24);
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const from = sourceOffset + block * blockElements;
      const to = targetOffset + block * blockBytes;
      let largest = 0;
      for (let i = 0; i < blockElements; i++) {
        largest = Math.max(largest, Math.abs(source[from + i]!));
      }
      const d = Math.fround(largest / 127);
      const inverse = reciprocal(d);
      writeHalf(target, to, d);
      // As in ggml: float32 steps, codes from the unrounded scale (so |q| <= 127), ties away from zero.
      for (let i = 0; i < blockElements; i++) {
        const scaled = Math.fround(source[from + i]! * inverse);
        target[to + 2 + i] = scaled < 0 ? -Math.floor(0.5 - scaled) : Math.floor(scaled + 0.5);
      }
    }
  },
};
