/**
 * IQ1_S: a lattice super-block of 256 elements in 50 bytes, 8 groups of 32: x = d * (1 + 2 * step) * (point +- 1/8).
 *
 *   byte  0   2        34           50
 *         | d | p: 32  | 8 x u16    |     d: f16; p: low eight bits of the index into 2048 points of 8 elements
 *
 *   u16 of a group: upper three bits of its four indexes from bit 0, the step in bits 12..14, -1/8 if bit 15 is set
 *
 * Source: ggml, block_iq1_s.
 */
import type { Codec } from "./codec.ts";
import { iq1sGrid } from "./grids.ts";
import { readHalf, writeHalf } from "./half.ts";
import { latticeCodec } from "./lattice.ts";
import { readShort, writeShort } from "./words.ts";

const pointsAt = 2;
const groupsAt = 34;

export const iq1_sCodec: Codec = latticeCodec({
  type: "IQ1_S",
  blockBytes: 50,
  grid: iq1sGrid,
  signs: "shift",
  shiftPoints: 4,
  scaleElements: 32,
  largestStep: 7,
  factor: (step) => 2 * step + 1,
  unpack: (source, at, parts) => {
    parts.d = readHalf(source, at);
    for (let group = 0; group < 8; group++) {
      const word = readShort(source, at + groupsAt + 2 * group);
      parts.steps[group] = (word >> 12) & 7;
      for (let i = 4 * group; i < 4 * group + 4; i++) {
        const high = (word >> (3 * (i & 3))) & 7;
        parts.points[i] = source[at + pointsAt + i]! | (high << 8);
        parts.signs[i] = word >> 15;
      }
    }
  },
  pack: (parts, target, at) => {
    writeHalf(target, at, parts.d);
    for (let group = 0; group < 8; group++) {
      let word = (parts.steps[group]! << 12) | (parts.signs[4 * group]! << 15);
      for (let i = 4 * group; i < 4 * group + 4; i++) {
        target[at + pointsAt + i] = parts.points[i]! & 255;
        word |= (parts.points[i]! >> 8) << (3 * (i & 3));
      }
      writeShort(target, at + groupsAt + 2 * group, word);
    }
  },
});
