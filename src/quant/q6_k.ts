/**
 * Q6_K: a super-block of 256 elements in 210 bytes, 16 groups of 16: x = d * s[group] * (q - 32).
 *
 *   byte  0              128            192           208 210
 *         | ql: 2 x 64   | qh: 2 x 32   | s: 16 int8  | d  |     d: f16
 *
 * Each half (128 elements) is four rows of 32. ql[i] holds the low four bits of row 0 and, above them, of row 2;
 * ql[32 + i] those of rows 1 and 3. qh[i] holds the upper two bits of element i of row 0, 1, 2, 3, from bit 0 up.
 * Source: ggml, block_q6_K and quantize_row_q6_K_ref.
 */
import type { Codec } from "./codec.ts";
import { readHalf, roundToEven, writeHalf } from "./half.ts";
import { importanceWeights } from "./importance.ts";
import { searchSignedScale, signedLargest } from "./scale-search.ts";

const blockElements = 256;
const blockBytes = 210;
const groupElements = 16;
const groupCount = 16;
const rowElements = 32;
const halfElements = 128;
const highBitsAt = 128;
const scalesAt = 192;
const scaleAt = 208;

export const q6_kCodec: Codec = {
  type: "Q6_K",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = targetOffset + block * blockElements;
      const d = readHalf(source, at + scaleAt);
      for (let group = 0; group < groupCount; group++) {
        const scale = d * ((source[at + scalesAt + group]! << 24) >> 24);
        const begin = group * groupElements;
        const row = (begin % halfElements) >> 5;
        const half = begin >> 7;
        const inRow = begin % rowElements;
        const low = at + half * 64 + (row & 1) * rowElements + inRow;
        const high = at + highBitsAt + half * rowElements + inRow;
        const lowShift = (row >> 1) * 4;
        const highShift = row * 2;
        for (let i = 0; i < groupElements; i++) {
          const code =
            ((source[low + i]! >> lowShift) & 15) | (((source[high + i]! >> highShift) & 3) << 4);
          target[to + begin + i] = scale * (code - 32);
        }
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks, importance) => {
    const scales = new Float32Array(groupCount);
    const weights = new Float64Array(blockElements);
    const codes = new Uint8Array(blockElements);
    for (let block = 0; block < blocks; block++) {
      const from = sourceOffset + block * blockElements;
      const to = targetOffset + block * blockBytes;
      const known = importanceWeights(source, from, importance, weights);
      for (let group = 0; group < groupCount; group++) {
        const begin = group * groupElements;
        const values = { source, from: from + begin, weights: known?.subarray(begin) };
        scales[group] = searchSignedScale(values, groupElements, 32);
      }
      target.fill(0, to, to + blockBytes);
      const largest = signedLargest(scales, 0, groupCount);
      if (largest === 0) continue;
      const d = writeHalf(target, to + scaleAt, largest / -128);
      for (let group = 0; group < groupCount; group++) {
        const step = Math.min(127, roundToEven((scales[group]! / largest) * -128));
        target[to + scalesAt + group] = step;
        encodeGroup(source, from, { group, scale: d * step, codes });
      }
      packCodes(codes, target, to);
    }
  },
};

function encodeGroup(
  source: Float32Array,
  from: number,
  group: { readonly group: number; readonly scale: number; readonly codes: Uint8Array },
): void {
  const begin = group.group * groupElements;
  const inverse = group.scale === 0 ? 0 : 1 / group.scale;
  for (let i = begin; i < begin + groupElements; i++) {
    const code = roundToEven(source[from + i]! * inverse);
    group.codes[i] = Math.max(-32, Math.min(31, code)) + 32;
  }
}

function packCodes(codes: Uint8Array, target: Uint8Array, to: number): void {
  for (let i = 0; i < rowElements; i++) {
    for (let half = 0; half < 2; half++) {
      const first = half * halfElements + i;
      const row0 = codes[first]!;
      const row1 = codes[first + rowElements]!;
      const row2 = codes[first + 2 * rowElements]!;
      const row3 = codes[first + 3 * rowElements]!;
      const low = to + half * 64 + i;
      target[low] = (row0 & 15) | ((row2 & 15) << 4);
      target[low + rowElements] = (row1 & 15) | ((row3 & 15) << 4);
      target[to + highBitsAt + half * rowElements + i] =
        (row0 >> 4) | ((row1 >> 4) << 2) | ((row2 >> 4) << 4) | ((row3 >> 4) << 6);
    }
  }
}
