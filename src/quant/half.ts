/**
 * binary16 and bfloat16 to and from float32, round to nearest, ties to even; subnormals, infinities and NaN included.
 * Source: IEEE 754-2019, 3.6 and 4.3.1; bfloat16 is the upper half of a float32.
 */
const floatScratch = new Float32Array(1);
const bitScratch = new Uint32Array(floatScratch.buffer);

/** 65536 is 2^16: every binary16 there is, as float32. 256 KiB, and one load instead of a dozen operations. */
const halfTable = makeHalfTable();

/** Adding and subtracting 1.5 * 2^52 leaves a double rounded to an integer, ties to even, for |x| < 2^51. */
const integerShift = 6755399441055744;

const doubleScratch = new Float64Array(1);
const doubleWords = new Uint32Array(doubleScratch.buffer);

/** floor(log2(value)) of a normal number above 0, exactly. */
export function exponentOf(value: number): number {
  doubleScratch[0] = value;
  return ((doubleWords[1]! >>> 20) & 0x7ff) - 1023;
}

export function roundToEven(value: number): number {
  return value + integerShift - integerShift;
}

/** `bits` must be in 0..65535. */
export function halfToFloat(bits: number): number {
  return halfTable[bits]!;
}

/** The nearest binary16 to the nearest float32 to `value`; beyond 65519.99 it is infinite. */
export function floatToHalf(value: number): number {
  floatScratch[0] = value;
  const bits = bitScratch[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  // 65520 lies halfway between the largest half and the power of two behind it, whose mantissa is even.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 a half is a multiple of 2^-24.
  if (magnitude < 0x38800000) return sign | roundToEven(Math.abs(floatScratch[0]!) * 16777216);
  // Ten of 23 mantissa bits stay; half of the rest, and one more if the last kept bit is odd, carries over.
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** `bits` must be in 0..65535. */
export function bfloatToFloat(bits: number): number {
  bitScratch[0] = bits << 16;
  return floatScratch[0]!;
}

export function floatToBfloat(value: number): number {
  floatScratch[0] = value;
  const bits = bitScratch[0]!;
  // A NaN keeps its upper bits and becomes quiet: rounding could make it an infinity.
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The little-endian binary16 at a byte offset. */
export function readHalf(source: Uint8Array, offset: number): number {
  return halfTable[source[offset]! | (source[offset + 1]! << 8)]!;
}

/** Stores the nearest binary16 and returns what a reader will see. */
export function writeHalf(target: Uint8Array, offset: number, value: number): number {
  const bits = floatToHalf(value);
  target[offset] = bits & 0xff;
  target[offset + 1] = bits >>> 8;
  return halfTable[bits]!;
}

function makeHalfTable(): Float32Array {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >>> 10) & 0x1f;
    const mantissa = bits & 0x3ff;
    if (exponent === 0) table[bits] = sign * mantissa * 2 ** -24;
    else if (exponent < 31) table[bits] = sign * (1024 + mantissa) * 2 ** (exponent - 25);
    else table[bits] = mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  }
  return table;
}
