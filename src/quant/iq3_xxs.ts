/**
 * IQ3_XXS: a lattice super-block of 256 elements in 98 bytes, 8 groups of 32: x = d * (1/4 + step/2) * (+-point).
 *
 *   byte  0   2        66           98
 *         | d | p: 64  | 8 x u32    |     d: f16; p: index into 256 points of 4 elements
 *
 *   u32 of a group: 4 x 7 signs from bit 0, one set for eight elements, and the step in bits 28..31
 *
 * The eighth sign makes the number of minuses even. Source: ggml, block_iq3_xxs.
 */
import type { Codec } from "./codec.ts";
import { iq3xxsGrid } from "./grids.ts";
import { readHalf, writeHalf } from "./half.ts";
import { evenSigns, latticeCodec } from "./lattice.ts";
import { readWord, writeWord } from "./words.ts";

const pointsAt = 2;
const signsAt = 66;
const pointCount = 64;

export const iq3_xxsCodec: Codec = latticeCodec({
  type: "IQ3_XXS",
  blockBytes: 98,
  grid: iq3xxsGrid,
  signs: "even",
  scaleElements: 32,
  largestStep: 15,
  factor: (step) => (0.5 + step) * 0.5,
  unpack: (source, at, parts) => {
    parts.d = readHalf(source, at);
    for (let i = 0; i < pointCount; i++) parts.points[i] = source[at + pointsAt + i]!;
    for (let group = 0; group < 8; group++) {
      const word = readWord(source, at + signsAt + 4 * group);
      parts.steps[group] = word >>> 28;
      for (let i = 0; i < 4; i++) parts.signs[4 * group + i] = evenSigns((word >>> (7 * i)) & 127);
    }
  },
  pack: (parts, target, at) => {
    writeHalf(target, at, parts.d);
    target.set(parts.points, at + pointsAt);
    for (let group = 0; group < 8; group++) {
      let word = parts.steps[group]! << 28;
      for (let i = 0; i < 4; i++) word |= (parts.signs[4 * group + i]! & 127) << (7 * i);
      writeWord(target, at + signsAt + 4 * group, word);
    }
  },
});
