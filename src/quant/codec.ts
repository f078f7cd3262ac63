/**
 * What each weight format offers: blocks to float32 and back. A block is the smallest piece that has a scale of its
 * own; rows consist of whole blocks. The layouts are ggml's, bit for bit.
 */
import type { WeightType } from "../core/dtype.ts";

export interface Codec {
  readonly type: WeightType;
  readonly blockElements: number;
  readonly blockBytes: number;
  /** Offsets: `sourceOffset` in bytes, `targetOffset` in elements. */
  dequantise(
    source: Uint8Array,
    sourceOffset: number,
    target: Float32Array,
    targetOffset: number,
    blocks: number,
  ): void;
  /**
   * Offsets: `sourceOffset` in elements, `targetOffset` in bytes. Values must be finite. `importance` lies as the source:
   * how much the error of each element matters, relative to the others; formats without a search have no use for it.
   */
  quantise(
    source: Float32Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    blocks: number,
    importance?: Float32Array,
  ): void;
}

/** How the codes of a block lie in its bytes, for formats that differ in little else. */
export interface CodePacking {
  readonly type: WeightType;
  readonly blockBytes: number;
  readonly largestCode: number;
  /** The codes of the block at `at`, one a byte. */
  unpack(source: Uint8Array, at: number, codes: Uint8Array): void;
  pack(codes: Uint8Array, target: Uint8Array, at: number): void;
}
