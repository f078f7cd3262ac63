/**
 * TQ1_0: 256 elements in 54 bytes, x = d * (q - 1), five q (0..2) a byte.
 *
 *   byte  0         32        48       52  54
 *         | 5 x 32  | 5 x 16  | 4 x 4  | d |     d: f16
 *
 * Byte i of a part holds element i of each of its rows, a digit to the base 3 each, the first row the highest: digits
 * q0 q1 q2 q3 q4 as the fraction 0.q0q1q2q3q4, in 256ths, rounded up. So digit n is the whole part of 3 * frac(byte * 3^n).
 * Source: ggml, block_tq1_0, quantize_row_tq1_0_ref and dequantize_row_tq1_0.
 */
import type { Codec } from "./codec.ts";
import { ternaryCodec } from "./ternary.ts";

/** First byte and bytes of a part, its first element, and how many rows it has. */
const parts = [
  { at: 0, bytes: 32, first: 0, rows: 5 },
  { at: 32, bytes: 16, first: 160, rows: 5 },
  { at: 48, bytes: 4, first: 240, rows: 4 },
];

export const tq1_0Codec: Codec = ternaryCodec({
  type: "TQ1_0",
  blockBytes: 54,
  unpack: (source, at, codes) => {
    for (const part of parts) {
      for (let i = 0; i < part.bytes; i++) {
        let fraction = source[at + part.at + i]!;
        for (let row = 0; row < part.rows; row++) {
          codes[part.first + row * part.bytes + i] = (fraction * 3) >> 8;
          fraction = (fraction * 3) & 255;
        }
      }
    }
  },
  pack: (codes, target, at) => {
    for (const part of parts) {
      for (let i = 0; i < part.bytes; i++) {
        let number = 0;
        for (let row = 0; row < 5; row++) {
          number = 3 * number + (row < part.rows ? codes[part.first + row * part.bytes + i]! : 0);
        }
        target[at + part.at + i] = Math.ceil((number * 256) / 243);
      }
    }
  },
});
