/**
 * IQ1_M: a lattice super-block of 256 elements in 56 bytes, scales for 16: x = d * (1 + 2 * step) * (point +- 1/8).
 *
 *   byte  0        32        48           56
 *         | p: 32  | h: 16   | 4 x u16    |     a point has 8 elements
 *
 * p: low eight bits of the index into 2048 points. h: a nibble for each point, the first in the low one: the upper three
 * bits of the index, and the highest for -1/8. Word w: steps of groups 4w..4w + 3 of 16 elements, three bits each, and
 * in bits 12..15 the four bits of d (f16) from bit 4w up.
 * Source: ggml, block_iq1_m.
 */
import type { Codec } from "./codec.ts";
import { iq1sGrid } from "./grids.ts";
import { floatToHalf, halfToFloat } from "./half.ts";
import { latticeCodec } from "./lattice.ts";
import { readShort, writeShort } from "./words.ts";

const highAt = 32;
const stepsAt = 48;
const pointCount = 32;

export const iq1_mCodec: Codec = latticeCodec({
  type: "IQ1_M",
  blockBytes: 56,
  grid: iq1sGrid,
  signs: "shift",
  scaleElements: 16,
  largestStep: 7,
  factor: (step) => 2 * step + 1,
  unpack: (source, at, parts) => {
    let d = 0;
    for (let word = 0; word < 4; word++) {
      const bits = readShort(source, at + stepsAt + 2 * word);
      d |= (bits >> 12) << (4 * word);
      for (let i = 0; i < 4; i++) parts.steps[4 * word + i] = (bits >> (3 * i)) & 7;
    }
    parts.d = halfToFloat(d);
    for (let i = 0; i < pointCount; i++) {
      const high = source[at + highAt + (i >> 1)]! >> (4 * (i & 1));
      parts.points[i] = source[at + i]! | ((high & 7) << 8);
      parts.signs[i] = (high >> 3) & 1;
    }
  },
  pack: (parts, target, at) => {
    const d = floatToHalf(parts.d);
    for (let word = 0; word < 4; word++) {
      let bits = ((d >> (4 * word)) & 15) << 12;
      for (let i = 0; i < 4; i++) bits |= parts.steps[4 * word + i]! << (3 * i);
      writeShort(target, at + stepsAt + 2 * word, bits);
    }
    for (let i = 0; i < pointCount; i++) {
      target[at + i] = parts.points[i]! & 255;
      const high = (parts.points[i]! >> 8) | (parts.signs[i]! << 3);
      target[at + highAt + (i >> 1)]! |= high << (4 * (i & 1));
    }
  },
});
