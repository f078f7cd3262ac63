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
import { signedCodec } from "./signed-block.ts";
import { readWord, writeWord } from "./words.ts";

const highAt = 2;
const codesAt = 6;
const half = 16;

export const q5_0Codec: Codec = signedCodec({
  type: "Q5_0",
  blockBytes: 22,
  largestCode: 31,
  unpack: (source, at, codes) => {
    const high = readWord(source, at + highAt);
    for (let i = 0; i < half; i++) {
      const pair = source[at + codesAt + i]!;
      codes[i] = (pair & 15) | (((high >> i) & 1) << 4);
      codes[half + i] = (pair >> 4) | (((high >> (half + i)) & 1) << 4);
    }
  },
  pack: (codes, target, at) => {
    let high = 0;
    for (let i = 0; i < 2 * half; i++) high |= (codes[i]! >> 4) << i;
    writeWord(target, at + highAt, high);
    for (let i = 0; i < half; i++) {
      target[at + codesAt + i] = (codes[i]! & 15) | ((codes[half + i]! & 15) << 4);
    }
  },
});
