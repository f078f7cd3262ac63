/**
 * IQ4_NL: 32 elements in 18 bytes, x = d * book[q].
 *
 *   byte  0   2                                  18
 *         | d | q[0]|q[16]<<4 ... q[15]|q[31]<<4  |     d: f16, q: 0..15, book: denseBook of book.ts
 *
 * Source: ggml, block_iq4_nl and quantize_row_iq4_nl_impl.
 */
import { denseBook, readBookCodes, searchBookScale, writeBookCodes } from "./book.ts";
import type { Codec } from "./codec.ts";
import { readHalf, writeHalf } from "./half.ts";
import { importanceWeights } from "./importance.ts";

const blockElements = 32;
const blockBytes = 18;
const codes = { book: denseBook, count: blockElements };

export const iq4_nlCodec: Codec = {
  type: "IQ4_NL",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = { target, at: targetOffset + block * blockElements };
      readBookCodes({ source, at: at + 2 }, to, { ...codes, scale: readHalf(source, at) });
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks, importance) => {
    const weights = new Float64Array(blockElements);
    for (let block = 0; block < blocks; block++) {
      const from = { source, at: sourceOffset + block * blockElements };
      const to = targetOffset + block * blockBytes;
      const known = importanceWeights(source, from.at, importance, weights);
      const values = { source, from: from.at, weights: known };
      const scale = writeHalf(target, to, searchBookScale(values, blockElements));
      writeBookCodes(from, { target, at: to + 2 }, { ...codes, scale });
    }
  },
};
