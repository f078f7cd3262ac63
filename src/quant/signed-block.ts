/**
 * What Q4_0 and Q5_0 share: blocks of 32 elements, x = d * (q - half), that begin with d in f16. The value of largest
 * magnitude, sign and all, gets code 0: -half steps; the other side reaches one step less. Where an importance is known,
 * d is the one that fits best instead. They differ in how the codes q are packed.
 * Source: ggml, quantize_row_q4_0_ref and quantize_row_q5_0_ref, and their forms with an importance matrix.
 */
import type { Codec, CodePacking } from "./codec.ts";
import { readHalf, roundToEven, writeHalf } from "./half.ts";
import { importanceWeights } from "./importance.ts";
import { reciprocal, searchSignedScale, signedLargest } from "./scale-search.ts";

const blockElements = 32;

export function signedCodec(format: CodePacking): Codec {
  const { type, blockBytes, largestCode } = format;
  const half = (largestCode + 1) / 2;
  return {
    type,
    blockElements,
    blockBytes,
    dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
      const codes = new Uint8Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const at = sourceOffset + block * blockBytes;
        const to = targetOffset + block * blockElements;
        const d = readHalf(source, at);
        format.unpack(source, at, codes);
        for (let i = 0; i < blockElements; i++) target[to + i] = d * (codes[i]! - half);
      }
    },
    quantise: (source, sourceOffset, target, targetOffset, blocks, importance) => {
      const codes = new Uint8Array(blockElements);
      const weights = new Float64Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const from = sourceOffset + block * blockElements;
        const to = targetOffset + block * blockBytes;
        const known = importanceWeights(source, from, importance, weights);
        const values = { source, from, weights: known };
        if (known === undefined) {
          const d = signedLargest(source, from, blockElements) / -half;
          writeHalf(target, to, d);
          encodeAsGgml(source, from, codes, { half, inverse: reciprocal(d) });
        } else {
          const d = writeHalf(target, to, searchSignedScale(values, blockElements, half));
          encode(source, from, codes, { half, inverse: d === 0 ? 0 : 1 / d });
        }
        format.pack(codes, target, to);
      }
    },
  };
}

interface Steps {
  readonly half: number;
  readonly inverse: number;
}

/** Float32 steps, the half that rounds is added to the offset. */
function encodeAsGgml(
  source: Float32Array,
  from: number,
  codes: Uint8Array,
  { half, inverse }: Steps,
): void {
  for (let i = 0; i < blockElements; i++) {
    const scaled = Math.fround(source[from + i]! * inverse);
    codes[i] = Math.min(2 * half - 1, Math.fround(scaled + half + 0.5) | 0);
  }
}

function encode(
  source: Float32Array,
  from: number,
  codes: Uint8Array,
  { half, inverse }: Steps,
): void {
  for (let i = 0; i < blockElements; i++) {
    const code = roundToEven(source[from + i]! * inverse);
    codes[i] = Math.max(-half, Math.min(half - 1, code)) + half;
  }
}
