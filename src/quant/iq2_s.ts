/**
 * IQ2_S: a lattice super-block of 256 elements in 82 bytes, scales for 16: x = d * (1/8 + step/4) * (+-point).
 *
 *   byte  0   2        34       66      74        82
 *         | d | p: 32  | s: 32  | h: 8  | steps   |     d: f16
 *
 * p: low eight bits of the index into 1024 points; byte g of h has the upper two of points 4g..4g + 3, from bit 0 up.
 * s: a byte of signs for each point. Steps of 16 elements each, the first in the low nibble.
 * Source: ggml, block_iq2_s.
 */
import type { Codec } from "./codec.ts";
import { iq2sGrid } from "./grids.ts";
import { readHalf, writeHalf } from "./half.ts";
import { latticeCodec } from "./lattice.ts";
import { readNibbles, writeNibbles } from "./words.ts";

const pointsAt = 2;
const signsAt = 34;
const highAt = 66;
const stepsAt = 74;

export const iq2_sCodec: Codec = latticeCodec({
  type: "IQ2_S",
  blockBytes: 82,
  grid: iq2sGrid,
  signs: "free",
  scaleElements: 16,
  largestStep: 15,
  factor: (step) => (0.5 + step) * 0.25,
  unpack: (source, at, parts) => {
    parts.d = readHalf(source, at);
    readNibbles(source, at + stepsAt, parts.steps);
    for (let point = 0; point < 32; point++) {
      const high = (source[at + highAt + (point >> 2)]! >> (2 * (point & 3))) & 3;
      parts.points[point] = source[at + pointsAt + point]! | (high << 8);
      parts.signs[point] = source[at + signsAt + point]!;
    }
  },
  pack: (parts, target, at) => {
    writeHalf(target, at, parts.d);
    writeNibbles(target, at + stepsAt, parts.steps);
    for (let point = 0; point < 32; point++) {
      const index = parts.points[point]!;
      target[at + pointsAt + point] = index & 255;
      target[at + highAt + (point >> 2)]! |= (index >> 8) << (2 * (point & 3));
      target[at + signsAt + point] = parts.signs[point]!;
    }
  },
});
