/**
 * IQ2_XS: a lattice super-block of 256 elements in 74 bytes, scales for 16: x = d * (1/8 + step/4) * (+-point).
 *
 *   byte  0   2              66          74
 *         | d | 32 x u16     | 8 bytes   |     d: f16
 *
 *   u16:  index into 512 points in bits 0..8, 7 signs in bits 9..15 (the eighth makes the number of minuses even)
 *   byte: steps of 16 elements each, the first in the low nibble
 *
 * Source: ggml, block_iq2_xs.
 */
import type { Codec } from "./codec.ts";
import { iq2xsGrid } from "./grids.ts";
import { readHalf, writeHalf } from "./half.ts";
import { evenSigns, latticeCodec } from "./lattice.ts";
import { readNibbles, readShort, writeNibbles, writeShort } from "./words.ts";

const stepsAt = 66;

export const iq2_xsCodec: Codec = latticeCodec({
  type: "IQ2_XS",
  blockBytes: 74,
  grid: iq2xsGrid,
  signs: "even",
  scaleElements: 16,
  largestStep: 15,
  factor: (step) => (0.5 + step) * 0.25,
  unpack: (source, at, parts) => {
    parts.d = readHalf(source, at);
    readNibbles(source, at + stepsAt, parts.steps);
    for (let point = 0; point < 32; point++) {
      const code = readShort(source, at + 2 + 2 * point);
      parts.points[point] = code & 511;
      parts.signs[point] = evenSigns(code >> 9);
    }
  },
  pack: (parts, target, at) => {
    writeHalf(target, at, parts.d);
    writeNibbles(target, at + stepsAt, parts.steps);
    for (let point = 0; point < 32; point++) {
      const code = parts.points[point]! | ((parts.signs[point]! & 127) << 9);
      writeShort(target, at + 2 + 2 * point, code);
    }
  },
});
