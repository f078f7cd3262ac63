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
import { readHalf } from "./half.ts";
import {
  groupCount,
  groupElements,
  readGroupOffset,
  readGroupScale,
  SuperBlockQuantiser,
} from "./k-scales.ts";

const blockElements = 256;
const blockBytes = 144;
const scalesAt = 4;
const codesAt = 16;

export const q4_kCodec: Codec = {
  type: "Q4_K",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const d = readHalf(source, at);
      const dmin = readHalf(source, at + 2);
      for (let group = 0; group < groupCount; group++) {
        const scale = d * readGroupScale(source, at + scalesAt, group);
        const offset = dmin * readGroupOffset(source, at + scalesAt, group);
        const codes = at + codesAt + (group >> 1) * groupElements;
        const shift = (group & 1) * 4;
        const to = targetOffset + block * blockElements + group * groupElements;
        for (let i = 0; i < groupElements; i++) {
          target[to + i] = scale * ((source[codes + i]! >> shift) & 15) - offset;
        }
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    const quantiser = new SuperBlockQuantiser({ largestCode: 15, first: -1, candidates: 21 });
    for (let block = 0; block < blocks; block++) {
      const to = targetOffset + block * blockBytes;
      quantiser.run(source, sourceOffset + block * blockElements, target, to);
      const { codes } = quantiser;
      for (let i = 0; i < blockElements / 2; i++) {
        const piece = 2 * (i - (i % groupElements)) + (i % groupElements);
        target[to + codesAt + i] = codes[piece]! | (codes[piece + groupElements]! << 4);
      }
    }
  },
};
