/** F16: little-endian IEEE binary16. A block is one element of 2 bytes. */
import type { Codec } from "./codec.ts";
import { floatToHalf, halfToFloat } from "./half.ts";

export const f16Codec: Codec = {
  type: "F16",
  blockElements: 1,
  blockBytes: 2,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let i = 0; i < blocks; i++) {
      const at = sourceOffset + 2 * i;
      target[targetOffset + i] = halfToFloat(source[at]! | (source[at + 1]! << 8));
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let i = 0; i < blocks; i++) {
      const bits = floatToHalf(source[sourceOffset + i]!);
      target[targetOffset + 2 * i] = bits & 0xff;
      target[targetOffset + 2 * i + 1] = bits >>> 8;
    }
  },
};
