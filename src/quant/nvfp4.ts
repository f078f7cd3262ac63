/**
 * NVFP4: 64 elements in 36 bytes, 4 groups of 16: x = s[group] / 2 * book[q].
 *
 *   byte  0        4                36
 *         | s: 4   | q: 4 x 8       |     s: E4M3 without its sign; q: a group's first eight elements in the low nibbles
 *
 * The book (floatBook of book.ts) is doubled, so the scale is halved. s = 127, a NaN elsewhere, counts as 0.
 * Source: ggml, block_nvfp4, quantize_row_nvfp4_ref and ggml_ue4m3_to_fp32.
 */
import { floatBook, readBookCodes, writeBookCodes } from "./book.ts";
import type { Codec } from "./codec.ts";
import { exponentOf } from "./half.ts";

const blockElements = 64;
const blockBytes = 36;
const groupElements = 16;
const groupCount = 4;
const codesAt = 4;
const codes = { book: floatBook, count: groupElements };
const largestValue = 6;
const largestScale = 0x7e;

export const nvfp4Codec: Codec = {
  type: "NVFP4",
  blockElements,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const at = sourceOffset + block * blockBytes;
      for (let group = 0; group < groupCount; group++) {
        const from = { source, at: at + codesAt + group * (groupElements / 2) };
        const to = { target, at: targetOffset + block * blockElements + group * groupElements };
        readBookCodes(from, to, { ...codes, scale: halvedScale(source[at + group]!) });
      }
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let block = 0; block < blocks; block++) {
      const to = targetOffset + block * blockBytes;
      for (let group = 0; group < groupCount; group++) {
        const from = { source, at: sourceOffset + block * blockElements + group * groupElements };
        const byte = scaleByte(largestOf(source, from.at) / largestValue);
        target[to + group] = byte;
        const place = { target, at: to + codesAt + group * (groupElements / 2) };
        writeBookCodes(from, place, { ...codes, scale: halvedScale(byte) });
      }
    }
  },
};

function largestOf(source: Float32Array, from: number): number {
  let largest = 0;
  for (let i = 0; i < groupElements; i++) largest = Math.max(largest, Math.abs(source[from + i]!));
  return largest;
}

/** Half of an E4M3 number: 4 bits of exponent (bias 7), 3 of mantissa; the bit above them is ignored. */
function halvedScale(byte: number): number {
  if (byte === 0x7f) return 0;
  const exponent = (byte >> 3) & 15;
  const mantissa = byte & 7;
  return exponent === 0 ? mantissa * 2 ** -10 : (8 + mantissa) * 2 ** (exponent - 11);
}

/** The nearest E4M3 number, halves up; at most 448. */
function scaleByte(value: number): number {
  const exponent = Math.max(-6, exponentOf(value));
  // Steps of 2^(exponent - 3): 8..16 of them in a binade, 0..8 below the smallest normal.
  const steps = Math.floor(value / 2 ** (exponent - 3) + 0.5);
  return value === 0 ? 0 : Math.min(largestScale, (exponent + 6) * 8 + steps);
}
