/**
 * Q3_K: a super-block of 256 elements in 110 bytes, 16 groups of 16: x = d * (s[group] - 32) * (q - 4).
 *
 *   byte  0        32            96      108 110
 *         | h: 32  | q: 2 x 32   | s: 12 | d |     d: f16; s: 6 bits; q: 0..7
 *
 * Each half (128 elements) is four rows of 32: byte i of its 32 holds the low two bits of element i of row 0, 1, 2, 3,
 * from bit 0 up. Bit 4 * half + row of h[i] is the third bit of that element.
 *
 *   s byte 0..7    low four bits of s[0..7] | low four bits of s[8..15] << 4
 *   s byte 8..11   upper two bits of s[i], s[i + 4], s[i + 8], s[i + 12], from bit 0 up
 *
 * Source: ggml, block_q3_K and quantize_row_q3_K_ref.
 */
import type { Codec } from "./codec.ts";
import { readHalf, roundToEven, writeHalf } from "./half.ts";
import { importanceWeights } from "./importance.ts";
import { searchSignedScale, signedLargest } from "./scale-search.ts";

const blockElements = 256;
const blockBytes = 110;
const groupElements = 16;
const groupCount = 16;
const codesAt = 32;
const stepsAt = 96;
const scaleAt = 108;

export const q3_kCodec: Codec = {
  type: "Q3_K",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      const to = targetOffset + block * blockElements;
      const d = readHalf(source, at + scaleAt);
      for (let group = 0; group < groupCount; group++) {
        const scale = d * (readStep(source, at + stepsAt, group) - 32);
        const begin = group * groupElements;
        const { byte, high, row } = placeOf(begin);
        for (let i = 0; i < groupElements; i++) {
          const low = (source[at + codesAt + byte + i]! >> (2 * row.inHalf)) & 3;
          const third = (source[at + high + i]! >> row.bit) & 1;
          target[to + begin + i] = scale * (low + 4 * third - 4);
        }
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks, importance) => {
    const scales = new Float32Array(groupCount);
    const weights = new Float64Array(blockElements);
    for (let block = 0; block < blocks; block++) {
      const from = sourceOffset + block * blockElements;
      const to = targetOffset + block * blockBytes;
      target.fill(0, to, to + blockBytes);
      const known = importanceWeights(source, from, importance, weights);
      for (let group = 0; group < groupCount; group++) {
        const begin = group * groupElements;
        const values = { source, from: from + begin, weights: known?.subarray(begin) };
        scales[group] = searchSignedScale(values, groupElements, 4);
      }
      const largest = signedLargest(scales, 0, groupCount);
      const d = writeHalf(target, to + scaleAt, largest / -32);
      for (let group = 0; group < groupCount; group++) {
        const step = largest === 0 ? 0 : roundToEven((scales[group]! / largest) * -32);
        const inRange = Math.max(-32, Math.min(31, step));
        writeStep(target, to + stepsAt, group, inRange + 32);
        encodeGroup(source, from, { group, scale: d * inRange, target, to });
      }
    }
  },
};

interface Place {
  /** Among the bytes of the low bits, and of the third bits. */
  readonly byte: number;
  readonly high: number;
  readonly row: { readonly inHalf: number; readonly bit: number };
}

function placeOf(element: number): Place {
  const [half, inHalf, inRow] = [element >> 7, (element >> 5) & 3, element & 31];
  return { byte: 32 * half + inRow, high: inRow, row: { inHalf, bit: 4 * half + inHalf } };
}

function readStep(source: Uint8Array, at: number, group: number): number {
  const low = (source[at + (group & 7)]! >> (4 * (group >> 3))) & 15;
  const high = (source[at + 8 + (group & 3)]! >> (2 * (group >> 2))) & 3;
  return low | (high << 4);
}

function writeStep(target: Uint8Array, at: number, group: number, step: number): void {
  target[at + (group & 7)]! |= (step & 15) << (4 * (group >> 3));
  target[at + 8 + (group & 3)]! |= (step >> 4) << (2 * (group >> 2));
}

interface GroupToWrite {
  readonly group: number;
  readonly scale: number;
  readonly target: Uint8Array;
  readonly to: number;
}

function encodeGroup(source: Float32Array, from: number, write: GroupToWrite): void {
  const { group, scale, target, to } = write;
  const begin = group * groupElements;
  const { byte, high, row } = placeOf(begin);
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < groupElements; i++) {
    const rounded = roundToEven(source[from + begin + i]! * inverse);
    const code = Math.max(-4, Math.min(3, rounded)) + 4;
    target[to + codesAt + byte + i]! |= (code & 3) << (2 * row.inHalf);
    target[to + high + i]! |= (code >> 2) << row.bit;
  }
}
