/**
 * Activations as the integer kernels take them: per block of 32 an int8 code each and a float32 scale. Not a file
 * format (that is Q8_0, with an f16 scale); this is the reference that every kernel's quantiser must equal.
 */
import { roundToEven } from "./half.ts";

const activationBlockElements = 32;

export interface QuantisedActivation {
  /** [elements] */
  readonly codes: Int8Array;
  /** [elements / 32] */
  readonly scales: Float32Array;
}

/**
 * d = max|x| / 127, q = round(x / d) with ties to even, d = 0 and q = 0 for a block of zeros.
 * d and x / d are rounded to float32, one division each: no reciprocal, whose error would move ties.
 * @throws RangeError unless the length is a multiple of 32.
 */
export function quantiseActivation(values: Float32Array): QuantisedActivation {
  if (values.length % activationBlockElements !== 0) {
    throw new RangeError(`${values.length} activations are no multiple of 32`);
  }
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(values.length / activationBlockElements);
  for (let block = 0; block < scales.length; block++) {
    const begin = block * activationBlockElements;
    let largest = 0;
    for (let i = 0; i < activationBlockElements; i++) {
      largest = Math.max(largest, Math.abs(values[begin + i]!));
    }
    const scale = Math.fround(largest / 127);
    if (scale === 0) continue;
    scales[block] = scale;
    for (let i = 0; i < activationBlockElements; i++) {
      const code = roundToEven(Math.fround(values[begin + i]! / scale));
      // Only a subnormal d, which has lost precision, can lead past 127.
      codes[begin + i] = Math.max(-127, Math.min(127, code));
    }
  }
  return { codes, scales };
}
