/**
 * IQ3_S: a lattice super-block of 256 elements in 110 bytes, 8 groups of 32: x = d * (1 + 2 * step) * (+-point).
 *
 *   byte  0   2        66      74       106     110
 *         | d | p: 64  | h: 8  | s: 32  | steps |     d: f16; a point has 4 elements
 *
 * p: low eight bits of the index into 512 points; bit i of byte g of h is the ninth of point 8g + i.
 * s: a byte of signs for eight elements. Steps of 32 elements each, the first in the low nibble.
 * Source: ggml, block_iq3_s.
 */
import type { Codec } from "./codec.ts";
import { iq3sGrid } from "./grids.ts";
import { readHalf, writeHalf } from "./half.ts";
import { latticeCodec } from "./lattice.ts";
import { readNibbles, writeNibbles } from "./words.ts";

const pointsAt = 2;
const highAt = 66;
const signsAt = 74;
const stepsAt = 106;
const pointCount = 64;

export const iq3_sCodec: Codec = latticeCodec({
  type: "IQ3_S",
  blockBytes: 110,
  grid: iq3sGrid,
  signs: "free",
  scaleElements: 32,
  largestStep: 15,
  factor: (step) => 1 + 2 * step,
  unpack: (source, at, parts) => {
    parts.d = readHalf(source, at);
    readNibbles(source, at + stepsAt, parts.steps);
    parts.signs.set(source.subarray(at + signsAt, at + stepsAt));
    for (let i = 0; i < pointCount; i++) {
      const ninth = (source[at + highAt + (i >> 3)]! >> (i & 7)) & 1;
      parts.points[i] = source[at + pointsAt + i]! | (ninth << 8);
    }
  },
  pack: (parts, target, at) => {
    writeHalf(target, at, parts.d);
    writeNibbles(target, at + stepsAt, parts.steps);
    target.set(parts.signs, at + signsAt);
    for (let i = 0; i < pointCount; i++) {
      const index = parts.points[i]!;
      target[at + pointsAt + i] = index & 255;
      target[at + highAt + (i >> 3)]! |= (index >> 8) << (i & 7);
    }
  },
});
