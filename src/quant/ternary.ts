/** What TQ1_0 and TQ2_0 share: 256 elements of -d, 0 or d, with d the largest magnitude. */
import type { WeightType } from "../core/dtype.ts";
import type { Codec } from "./codec.ts";
import { readHalf, writeHalf } from "./half.ts";
import { reciprocal } from "./scale-search.ts";

const blockElements = 256;

export interface TernaryFormat {
  readonly type: WeightType;
  readonly blockBytes: number;
  /** The codes of the block at `at`, one a byte: x = d * (q - 1). */
  unpack(source: Uint8Array, at: number, codes: Uint8Array): void;
  /** Codes are 0..2, and the bytes before d are zero. */
  pack(codes: Uint8Array, target: Uint8Array, at: number): void;
}

/** d, an f16, is the last two bytes of a block. */
export function ternaryCodec(format: TernaryFormat): Codec {
  const { type, blockBytes } = format;
  const scaleAt = blockBytes - 2;
  return {
    type,
    blockElements,
    blockBytes,
    dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
      const codes = new Uint8Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const at = sourceOffset + block * blockBytes;
        const to = targetOffset + block * blockElements;
        const d = readHalf(source, at + scaleAt);
        format.unpack(source, at, codes);
        for (let i = 0; i < blockElements; i++) target[to + i] = d * (codes[i]! - 1);
      }
    },
    quantise: (source, sourceOffset, target, targetOffset, blocks) => {
      const codes = new Uint8Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const from = sourceOffset + block * blockElements;
        const to = targetOffset + block * blockBytes;
        target.fill(0, to, to + blockBytes);
        let largest = 0;
        for (let i = 0; i < blockElements; i++) {
          largest = Math.max(largest, Math.abs(source[from + i]!));
        }
        const inverse = reciprocal(largest);
        for (let i = 0; i < blockElements; i++) {
          // As in ggml: float32 steps, ties away from zero.
          const scaled = Math.fround(source[from + i]! * inverse);
          codes[i] = 1 + Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5);
        }
        writeHalf(target, to + scaleAt, largest);
        format.pack(codes, target, to);
      }
    },
  };
}
