/**
 * TQ2_0: 256 elements in 66 bytes, x = d * (q - 1).
 *
 *   byte  0             64  66
 *         | q: 2 x 32   | d |     d: f16; q: two bits, 0..2
 *
 * Each half (128 elements) is four rows of 32: byte i of its 32 holds element i of row 0, 1, 2, 3, from bit 0 up.
 * Source: ggml, block_tq2_0 and quantize_row_tq2_0_ref. A file may hold q = 3, which is 2 * d.
 */
import type { Codec } from "./codec.ts";
import { ternaryCodec } from "./ternary.ts";

export const tq2_0Codec: Codec = ternaryCodec({
  type: "TQ2_0",
  blockBytes: 66,
  unpack: (source, at, codes) => {
    for (let i = 0; i < codes.length; i++) {
      codes[i] = (source[at + byteOf(i)]! >> (2 * ((i >> 5) & 3))) & 3;
    }
  },
  pack: (codes, target, at) => {
    for (let i = 0; i < codes.length; i++) {
      target[at + byteOf(i)]! |= codes[i]! << (2 * ((i >> 5) & 3));
    }
  },
});

function byteOf(element: number): number {
  return 32 * (element >> 7) + (element & 31);
}
