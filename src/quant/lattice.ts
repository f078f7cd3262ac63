/**
 * What the lattice types share: super-blocks of 256 elements of which four or eight neighbours have one code, the index
 * of a point of a grid (grids.ts). Scales, one for 16 or 32 elements, are steps of the block's d. The types differ in
 * how the parts of a block lie in its bytes.
 *
 *   signed grids (IQ2, IQ3): x = d * factor(step) * (+-point[i]), a sign for each element
 *   shifted grids (IQ1):     x = d * factor(step) * (point[i] +- 1/8), a shift for each point
 */
import type { Codec } from "./codec.ts";
import { importanceWeights } from "./importance.ts";
import { blockElements, type LatticeFormat, type LatticeParts, octet } from "./lattice-format.ts";
import { LatticeQuantiser } from "./lattice-quantiser.ts";

export function latticeCodec(format: LatticeFormat): Codec {
  const { type, blockBytes } = format;
  return {
    type,
    blockElements,
    blockBytes,
    dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
      const parts = createParts(format);
      for (let block = 0; block < blocks; block++) {
        format.unpack(source, sourceOffset + block * blockBytes, parts);
        readParts(format, parts, target.subarray(targetOffset + block * blockElements));
      }
    },
    quantise: (source, sourceOffset, target, targetOffset, blocks, importance) => {
      const quantiser = new LatticeQuantiser(format, createParts(format));
      const weights = new Float64Array(blockElements);
      for (let block = 0; block < blocks; block++) {
        const from = sourceOffset + block * blockElements;
        const known = importanceWeights(source, from, importance, weights);
        const parts = quantiser.run(source, from, known);
        const to = targetOffset + block * blockBytes;
        target.fill(0, to, to + blockBytes);
        format.pack(parts, target, to);
      }
    },
  };
}

function createParts(format: LatticeFormat): LatticeParts {
  return {
    d: 0,
    steps: new Uint8Array(blockElements / format.scaleElements),
    points: new Uint16Array(blockElements / format.grid.width),
    signs: new Uint8Array(blockElements / octet),
  };
}

function readParts(format: LatticeFormat, parts: LatticeParts, target: Float32Array): void {
  const { width, values } = format.grid;
  const isShifted = format.signs === "shift";
  for (let begin = 0; begin < blockElements; begin += octet) {
    const scale = parts.d * format.factor(parts.steps[Math.floor(begin / format.scaleElements)]!);
    const sign = parts.signs[begin / octet]!;
    const shift = sign === 0 ? 0.125 : -0.125;
    for (let i = begin; i < begin + octet; i++) {
      const value = values[parts.points[Math.floor(i / width)]! * width + (i % width)]!;
      if (isShifted) target[i] = scale * (value + shift);
      else target[i] = scale * ((sign >> (i & 7)) & 1 ? -value : value);
    }
  }
}

/** The eight signs of seven stored ones: the last makes the number of minuses even. Source: ggml, ksigns_iq2xs. */
export function evenSigns(seven: number): number {
  const folded = seven ^ (seven >> 4);
  const parity = (0x6996 >> (folded & 15)) & 1;
  return seven | (parity << 7);
}
