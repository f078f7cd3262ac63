/**
 * Q5_K: a super-block of 256 elements in 176 bytes, 8 groups of 32: x = d * s[group] * q - dmin * m[group].
 *
 *   byte  0   2      4      16            48                          176
 *         | d | dmin | s, m | qh: 32 bytes | q: 4 x 32 bytes            |   d, dmin: f16; s, m: k-scales.ts
 *
 * The 32 bytes of piece p hold the low four bits of group 2p (low nibbles) and 2p + 1 (high ones);
 * bit `group` of qh[i] is the fifth bit of element i of that group.
 * Source: ggml, block_q5_K and quantize_row_q5_K_ref.
 */
import type { Codec } from "./codec.ts";
import { groupCount, groupElements } from "./k-scales.ts";
import { superBlockCodec } from "./super-block.ts";

const highBitsAt = 16;
const codesAt = 48;

export const q5_kCodec: Codec = superBlockCodec({
  type: "Q5_K",
  blockBytes: 176,
  largestCode: 31,
  first: -0.5,
  candidates: 16,
  unpack: (source, at, codes) => {
    for (let group = 0; group < groupCount; group++) {
      const low = at + codesAt + (group >> 1) * groupElements;
      const shift = (group & 1) * 4;
      for (let i = 0; i < groupElements; i++) {
        const high = (source[at + highBitsAt + i]! >> group) & 1;
        codes[group * groupElements + i] = ((source[low + i]! >> shift) & 15) | (high << 4);
      }
    }
  },
  pack: (codes, target, at) => {
    target.fill(0, at + highBitsAt, at + codesAt + (groupCount / 2) * groupElements);
    for (let group = 0; group < groupCount; group++) {
      const low = at + codesAt + (group >> 1) * groupElements;
      const shift = (group & 1) * 4;
      for (let i = 0; i < groupElements; i++) {
        const code = codes[group * groupElements + i]!;
        target[low + i]! |= (code & 15) << shift;
        target[at + highBitsAt + i]! |= (code >> 4) << group;
      }
    }
  },
});
