/**
 * Q2_K: a super-block of 256 elements in 84 bytes, 16 groups of 16: x = d * s[group] * q - dmin * m[group].
 *
 *   byte  0          16            80  82     84
 *         | s|m<<4   | q: 2 x 32   | d | dmin |     d, dmin: f16; s, m: 4 bits; q: 0..3
 *
 * Each half (128 elements) is four rows of 32: byte i of its 32 holds element i of row 0, 1, 2, 3, from bit 0 up.
 * Source: ggml, block_q2_K and quantize_row_q2_K_ref.
 */
import type { Codec } from "./codec.ts";
import { readHalf, roundToEven, writeHalf } from "./half.ts";
import { importanceWeights } from "./importance.ts";
import { OffsetSearch } from "./scale-search.ts";

const blockElements = 256;
const blockBytes = 84;
const groupElements = 16;
const groupCount = 16;
const codesAt = 16;
const scaleAt = 80;
const largestStep = 15;
const largestCode = 3;

export const q2_kCodec: Codec = {
  type: "Q2_K",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = targetOffset + block * blockElements;
      const d = readHalf(source, at + scaleAt);
      const dmin = readHalf(source, at + scaleAt + 2);
      for (let group = 0; group < groupCount; group++) {
        const steps = source[at + group]!;
        const scale = d * (steps & 15);
        const offset = dmin * (steps >> 4);
        const begin = group * groupElements;
        const { byte, shift } = placeOf(begin);
        for (let i = 0; i < groupElements; i++) {
          const code = (source[at + codesAt + byte + i]! >> shift) & 3;
          target[to + begin + i] = scale * code - offset;
        }
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks, importance) => {
    const search = new OffsetSearch({ groupElements, largestCode, first: -0.5, candidates: 16 });
    const scales = new Float64Array(groupCount);
    const offsets = new Float64Array(groupCount);
    const weights = new Float64Array(blockElements);
    for (let block = 0; block < blocks; block++) {
      const from = sourceOffset + block * blockElements;
      const to = targetOffset + block * blockBytes;
      target.fill(0, to, to + blockBytes);
      const known = importanceWeights(source, from, importance, weights);
      for (let group = 0; group < groupCount; group++) {
        const begin = group * groupElements;
        search.run(source, from + begin, known?.subarray(begin));
        scales[group] = search.scale;
        offsets[group] = search.offset;
      }
      const d = writeHalf(target, to + scaleAt, Math.max(0, ...scales) / largestStep);
      const dmin = writeHalf(target, to + scaleAt + 2, Math.max(0, ...offsets) / largestStep);
      for (let group = 0; group < groupCount; group++) {
        const s = toStep(scales[group]!, d);
        const m = toStep(offsets[group]!, dmin);
        target[to + group] = s | (m << 4);
        encodeGroup(source, from, { group, scale: d * s, offset: dmin * m, target, to });
      }
    }
  },
};

/** Of the first element of a group: its byte among the codes, and the bit there. */
function placeOf(element: number): { readonly byte: number; readonly shift: number } {
  const [half, row, inRow] = [element >> 7, (element >> 5) & 3, element & 31];
  return { byte: 32 * half + inRow, shift: 2 * row };
}

function toStep(value: number, unit: number): number {
  return unit === 0 ? 0 : Math.max(0, Math.min(largestStep, roundToEven(value / unit)));
}

interface GroupToWrite {
  readonly group: number;
  readonly scale: number;
  readonly offset: number;
  readonly target: Uint8Array;
  readonly to: number;
}

function encodeGroup(source: Float32Array, from: number, write: GroupToWrite): void {
  const { group, scale, offset, target, to } = write;
  const begin = group * groupElements;
  const { byte, shift } = placeOf(begin);
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < groupElements; i++) {
    const code = roundToEven((source[from + begin + i]! + offset) * inverse);
    target[to + codesAt + byte + i]! |= Math.max(0, Math.min(largestCode, code)) << shift;
  }
}
