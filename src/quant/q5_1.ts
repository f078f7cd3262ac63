/**
 * Q5_1: 32 elements in 24 bytes, x = d * q + m.
 *
 *   byte  0   2   4    8                                  24
 *         | d | m | qh | q[0]|q[16]<<4 ... q[15]|q[31]<<4  |     d, m: f16, q: 0..31
 *
 * The nibbles are the low four bits of q; bit i of qh (u32, little endian) is the fifth bit of q[i].
 * Source: ggml, block_q5_1.
 */
import type { Codec } from "./codec.ts";
import { halfElements, minimumCodec, packedAt } from "./minimum-block.ts";

const codesAt = packedAt + 4;

export const q5_1Codec: Codec = minimumCodec({
  type: "Q5_1",
  blockBytes: 24,
  largestCode: 31,
  unpack: (source, at, codes) => {
    for (let i = 0; i < halfElements; i++) {
      const pair = source[at + codesAt + i]!;
      codes[i] = (pair & 15) | (fifthBit(source, at, i) << 4);
      codes[halfElements + i] = (pair >> 4) | (fifthBit(source, at, halfElements + i) << 4);
    }
  },
  pack: (codes, target, at) => {
    target.fill(0, at + packedAt, at + codesAt);
    for (let i = 0; i < halfElements; i++) {
      const low = codes[i]!;
      const high = codes[halfElements + i]!;
      target[at + codesAt + i] = (low & 15) | ((high & 15) << 4);
      target[at + packedAt + (i >> 3)]! |= (low >> 4) << (i & 7);
      target[at + packedAt + 2 + (i >> 3)]! |= (high >> 4) << (i & 7);
    }
  },
});

function fifthBit(source: Uint8Array, at: number, element: number): number {
  return (source[at + packedAt + (element >> 3)]! >> (element & 7)) & 1;
}
