/** F32: little-endian float32, as they are. A block is one element of 4 bytes. */
import type { Codec } from "./codec.ts";

const blockBytes = 4;

export const f32Codec: Codec = {
  type: "F32",
  blockElements: 1,
  blockBytes,
  dequantise: (source, sourceOffset, target, targetOffset, blocks) => {
    const bytes = source.subarray(sourceOffset, sourceOffset + blocks * blockBytes);
    bytesOf(target).set(bytes, targetOffset * blockBytes);
  },
  quantise: (source, sourceOffset, target, targetOffset, blocks) => {
    const begin = sourceOffset * blockBytes;
    target.set(bytesOf(source).subarray(begin, begin + blocks * blockBytes), targetOffset);
  },
};

/** The memory of an array as bytes: every machine that Node runs on is little endian. */
function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
