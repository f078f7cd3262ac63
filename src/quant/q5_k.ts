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
import { readHalf } from "./half.ts";
import {
  groupCount,
  groupElements,
  readGroupOffset,
  readGroupScale,
  SuperBlockQuantiser,
} from "./k-scales.ts";

const blockElements = 256;
const blockBytes = 176;
const scalesAt = 4;
const highBitsAt = 16;
const codesAt = 48;

export const q5_kCodec: Codec = {
  type: "Q5_K",
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
          const low = (source[codes + i]! >> shift) & 15;
          const high = (source[at + highBitsAt + i]! >> group) & 1;
          target[to + i] = scale * (low | (high << 4)) - offset;
        }
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    const quantiser = new SuperBlockQuantiser({ largestCode: 31, first: -0.5, candidates: 16 });
    for (let block = 0; block < blocks; block++) {
      const to = targetOffset + block * blockBytes;
      quantiser.run(source, sourceOffset + block * blockElements, target, to);
      packCodes(quantiser.codes, target, to);
    }
  },
};

function packCodes(codes: Uint8Array, target: Uint8Array, to: number): void {
  target.fill(0, to + highBitsAt, to + codesAt);
  for (let i = 0; i < blockElements / 2; i++) {
    const inGroup = i % groupElements;
    const group = (2 * (i - inGroup)) / groupElements;
    const low = codes[group * groupElements + inGroup]!;
    const high = codes[(group + 1) * groupElements + inGroup]!;
    target[to + codesAt + i] = (low & 15) | ((high & 15) << 4);
    target[to + highBitsAt + inGroup]! |= ((low >> 4) << group) | ((high >> 4) << (group + 1));
  }
}
