/**
 * IQ2_XXS: a lattice super-block of 256 elements in 66 bytes, 8 groups of 32: x = d * (1/8 + step/4) * (+-point).
 *
 *   byte  0   2             10                66
 *         | d | group 0     | group 1 ...     |     d: f16; point: 8 elements
 *
 *   group: | p0 | p1 | p2 | p3 | u32: 4 x 7 signs from bit 0, step in bits 28..31 |     p: index into 256 points
 *
 * The eighth sign of a point makes the number of minuses even. Source: ggml, block_iq2_xxs.
 */
import type { Codec } from "./codec.ts";
import { iq2xxsGrid } from "./grids.ts";
import { readHalf, writeHalf } from "./half.ts";
import { evenSigns, latticeCodec } from "./lattice.ts";
import { readWord, writeWord } from "./words.ts";

export const iq2_xxsCodec: Codec = latticeCodec({
  type: "IQ2_XXS",
  blockBytes: 66,
  grid: iq2xxsGrid,
  signs: "even",
  scaleElements: 32,
  largestStep: 15,
  factor: (step) => (0.5 + step) * 0.25,
  unpack: (source, at, parts) => {
    parts.d = readHalf(source, at);
    for (let group = 0; group < 8; group++) {
      const from = at + 2 + 8 * group;
      const word = readWord(source, from + 4);
      parts.steps[group] = word >>> 28;
      for (let i = 0; i < 4; i++) {
        parts.points[4 * group + i] = source[from + i]!;
        parts.signs[4 * group + i] = evenSigns((word >>> (7 * i)) & 127);
      }
    }
  },
  pack: (parts, target, at) => {
    writeHalf(target, at, parts.d);
    for (let group = 0; group < 8; group++) {
      const to = at + 2 + 8 * group;
      let word = parts.steps[group]! << 28;
      for (let i = 0; i < 4; i++) {
        target[to + i] = parts.points[4 * group + i]!;
        word |= (parts.signs[4 * group + i]! & 127) << (7 * i);
      }
      writeWord(target, to + 4, word);
    }
  },
});
