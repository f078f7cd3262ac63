/**
 * Q4_0: 32 elements in 18 bytes, x = d * (q - 8).
 *
 *   byte  0   2                                  18
 *         | d | q[0]|q[16]<<4 ... q[15]|q[31]<<4  |     d: f16, q: 0..15
 *
 * Source: ggml, block_q4_0 and quantize_row_q4_0_ref.
 */
import type { Codec } from "./codec.ts";
import { signedCodec } from "./signed-block.ts";

const codesAt = 2;
const half = 16;

export const q4_0Codec: Codec = signedCodec({
  type: "Q4_0",
  blockBytes: 18,
  largestCode: 15,
  unpack: (source, at, codes) => {
    for (let i = 0; i < half; i++) {
      const pair = source[at + codesAt + i]!;
      codes[i] = pair & 15;
      codes[half + i] = pair >> 4;
    }
  },
  pack: (codes, target, at) => {
    for (let i = 0; i < half; i++) target[at + codesAt + i] = codes[i]! | (codes[half + i]! << 4);
  },
});
