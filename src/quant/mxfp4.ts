/**
 * MXFP4: 32 elements in 17 bytes, x = 2^(e - 128) * book[q].
 *
 *   byte  0   1                                  17
 *         | e | q[0]|q[16]<<4 ... q[15]|q[31]<<4  |     e: u8, q: 0..15, book: floatBook of book.ts (doubled, so - 128)
 *
 * Source: OCP Microscaling Formats 1.0; ggml, block_mxfp4 and quantize_row_mxfp4_ref (e = 255 is 2^127 there, not NaN).
 */
import { floatBook, readBookCodes, writeBookCodes } from "./book.ts";
import type { Codec } from "./codec.ts";
import { exponentOf } from "./half.ts";

const blockElements = 32;
const blockBytes = 17;
const codes = { book: floatBook, count: blockElements };

export const mxfp4Codec: Codec = {
  type: "MXFP4",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = { target, at: targetOffset + block * blockElements };
      readBookCodes({ source, at: at + 1 }, to, { ...codes, scale: 2 ** (source[at]! - 128) });
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const from = { source, at: sourceOffset + block * blockElements };
      const to = targetOffset + block * blockBytes;
      const exponent = sharedExponent(source, from.at);
      target[to] = exponent;
      writeBookCodes(from, { target, at: to + 1 }, { ...codes, scale: 2 ** (exponent - 128) });
    }
  },
};

/** The largest value of the book is 6 = 1.5 * 2^2 before it is doubled. */
function sharedExponent(source: Float32Array, from: number): number {
  let largest = 0;
  for (let i = 0; i < blockElements; i++) largest = Math.max(largest, Math.abs(source[from + i]!));
  if (largest === 0) return 0;
  return Math.max(0, exponentOf(largest) - 2 + 127);
}
