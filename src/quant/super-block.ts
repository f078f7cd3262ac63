/**
 * What Q4_K and Q5_K share: super-blocks of 8 groups of 32 elements, x = d * s[group] * q - dmin * m[group], that begin
 * with d, dmin and the groups' steps (k-scales.ts). They differ in how the codes q are packed.
 */
import type { Codec, CodePacking } from "./codec.ts";
import { readHalf } from "./half.ts";
import { importanceWeights } from "./importance.ts";
import {
  groupCount,
  groupElements,
  readGroupOffset,
  readGroupScale,
  SuperBlockQuantiser,
} from "./k-scales.ts";

const blockElements = groupCount * groupElements;
const scalesAt = 4;

export interface SuperBlockFormat extends CodePacking {
  /** Where the search for a group's scale begins, and how many it tries: ggml's numbers for the type. */
  readonly first: number;
  readonly candidates: number;
}

export function superBlockCodec(format: SuperBlockFormat): Codec {
  const { type, blockBytes } = format;
  return {
    type,
    blockElements,
    blockBytes,
    dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
      const codes = new Uint8Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const at = sourceOffset + block * blockBytes;
        format.unpack(source, at, codes);
        scaleGroups(source, at, codes, target.subarray(targetOffset + block * blockElements));
      }
    },
    quantise: (source, sourceOffset, target, targetOffset, blocks, importance) => {
      const quantiser = new SuperBlockQuantiser(format);
      const weights = new Float64Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const to = targetOffset + block * blockBytes;
        const from = sourceOffset + block * blockElements;
        const known = importanceWeights(source, from, importance, weights);
        quantiser.run({ source, from, weights: known }, target, to);
        format.pack(quantiser.codes, target, to);
      }
    },
  };
}

function scaleGroups(
  source: Uint8Array,
  at: number,
  codes: Uint8Array,
  target: Float32Array,
): void {
  const d = readHalf(source, at);
  const dmin = readHalf(source, at + 2);
  for (let group = 0; group < groupCount; group++) {
    const scale = d * readGroupScale(source, at + scalesAt, group);
    const offset = dmin * readGroupOffset(source, at + scalesAt, group);
    const begin = group * groupElements;
    for (let i = begin; i < begin + groupElements; i++) target[i] = scale * codes[i]! - offset;
  }
}
