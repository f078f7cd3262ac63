/**
 * IQ4_XS: a super-block of 256 elements in 136 bytes, 8 groups of 32: x = d * (s[group] - 32) * book[q].
 *
 *   byte  0   2    4        8                136
 *         | d | sh | sl: 4  | q: 8 x 16      |     d: f16; sh: u16; q as in IQ4_NL, 16 bytes a group
 *
 * s: low four bits in the nibbles of sl, the first in the low one; upper two bits in sh, from bit 0 up.
 * Source: ggml, block_iq4_xs and quantize_row_iq4_nl_impl.
 */
import { denseBook, readBookCodes, searchBookScale, writeBookCodes } from "./book.ts";
import type { Codec } from "./codec.ts";
import { readHalf, roundToEven, writeHalf } from "./half.ts";
import { importanceWeights } from "./importance.ts";
import { signedLargest } from "./scale-search.ts";
import { readShort, writeShort } from "./words.ts";

const blockElements = 256;
const blockBytes = 136;
const groupElements = 32;
const groupCount = 8;
const highAt = 2;
const lowAt = 4;
const codesAt = 8;
const codes = { book: denseBook, count: groupElements };

export const iq4_xsCodec: Codec = {
  type: "IQ4_XS",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const d = readHalf(source, at);
      const high = readShort(source, at + highAt);
      for (let group = 0; group < groupCount; group++) {
        const low = (source[at + lowAt + (group >> 1)]! >> (4 * (group & 1))) & 15;
        const step = low | (((high >> (2 * group)) & 3) << 4);
        const to = { target, at: targetOffset + block * blockElements + group * groupElements };
        const from = { source, at: at + codesAt + group * (groupElements / 2) };
        readBookCodes(from, to, { ...codes, scale: d * (step - 32) });
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks, importance) => {
    const weights = new Float64Array(blockElements);
    const scales = new Float32Array(groupCount);
    for (let block = 0; block < blocks; block++) {
      const from = sourceOffset + block * blockElements;
      const to = targetOffset + block * blockBytes;
      target.fill(0, to, to + blockBytes);
      const known = importanceWeights(source, from, importance, weights);
      for (let group = 0; group < groupCount; group++) {
        const begin = group * groupElements;
        const values = { source, from: from + begin, weights: known?.subarray(begin) };
        scales[group] = searchBookScale(values, groupElements);
      }
      const d = writeHalf(target, to, signedLargest(scales, 0, groupCount) / -32);
      let high = 0;
      for (let group = 0; group < groupCount; group++) {
        const wanted = d === 0 ? 0 : roundToEven(scales[group]! / d);
        const step = Math.max(-32, Math.min(31, wanted)) + 32;
        target[to + lowAt + (group >> 1)]! |= (step & 15) << (4 * (group & 1));
        high |= (step >> 4) << (2 * group);
        const place = { target, at: to + codesAt + group * (groupElements / 2) };
        const values = { source, at: from + group * groupElements };
        writeBookCodes(values, place, { ...codes, scale: d * (step - 32) });
      }
      writeShort(target, to + highAt, high);
    }
  },
};
