/**
 * Q4_1: 32 elements in 20 bytes, x = d * q + m.
 *
 *   byte  0   2   4                                  20
 *         | d | m | q[0]|q[16]<<4 ... q[15]|q[31]<<4  |     d, m: f16, q: 0..15
 *
 * Source: ggml, block_q4_1.
 */
import type { Codec } from "./codec.ts";
import { halfElements, minimumCodec, packedAt } from "./minimum-block.ts";

export const q4_1Codec: Codec = minimumCodec({
  type: "Q4_1",
  blockBytes: 20,
  largestCode: 15,
  unpack: (source, at, codes) => {
    for (let i = 0; i < halfElements; i++) {
      const pair = source[at + packedAt + i]!;
      codes[i] = pair & 15;
      codes[halfElements + i] = pair >> 4;
    }
  },
  pack: (codes, target, at) => {
    for (let i = 0; i < halfElements; i++) {
      target[at + packedAt + i] = codes[i]! | (codes[halfElements + i]! << 4);
    }
  },
});
