/** BF16: little-endian bfloat16, the upper half of a float32. A block is one element of 2 bytes. */
import type { Codec } from "./codec.ts";
import { bfloatToFloat, floatToBfloat } from "./half.ts";

export const bf16Codec: Codec = {
  type: "BF16",
  blockElements: 1,
  blockBytes: 2,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let i = 0; i < blocks; i++) {
      const at = sourceOffset + 2 * i;
      target[targetOffset + i] = bfloatToFloat(source[at]! | (source[at + 1]! << 8));
    }
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    for (let i = 0; i < blocks; i++) {
      const bits = floatToBfloat(source[sourceOffset + i]!);
      target[targetOffset + 2 * i] = bits & 0xff;
      target[targetOffset + 2 * i + 1] = bits >>> 8;
    }
  },
};
