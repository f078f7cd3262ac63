/**
 * Q4_K: a super-block of 256 elements in 144 bytes, 8 groups of 32: x = d * s[group] * q - dmin * m[group].
 *
 *   byte  0   2      4          16                             144
 *         | d | dmin | s, m     | q: 4 x 32 bytes                |     d, dmin: f16; s, m: 6 bits, k-scales.ts
 *
 * The 32 bytes of piece p hold group 2p in their low nibbles and group 2p + 1 in their high ones.
 * Source: ggml, block_q4_K and quantize_row_q4_K_ref.
 */
import type { Codec } from "./codec.ts";
import { groupElements } from "./k-scales.ts";
import { superBlockCodec } from "./super-block.ts";

const codesAt = 16;
const codeBytes = 128;

export const q4_kCodec: Codec = superBlockCodec({
  type: "Q4_K",
  blockBytes: 144,
  largestCode: 15,
  first: -1,
  candidates: 21,
  unpack: (source, at, codes) => {
    for (let i = 0; i < codeBytes; i++) {
      const pair = source[at + codesAt + i]!;
      const first = firstOfPair(i);
      codes[first] = pair & 15;
      codes[first + groupElements] = pair >> 4;
    }
  },
  pack: (codes, target, at) => {
    for (let i = 0; i < codeBytes; i++) {
      const first = firstOfPair(i);
      target[at + codesAt + i] = codes[first]! | (codes[first + groupElements]! << 4);
    }
  },
});

/** The element in the low nibble of code byte i; that of the high one is in the next group. */
function firstOfPair(i: number): number {
  const inGroup = i % groupElements;
  return 2 * (i - inGroup) + inGroup;
}
