/**
 * Dot products of f32 data summed in double precision: what every matrix of the reference stands on.
 * Products of two f32 are exact in a double; the sum's error (n·2^-53·Σ|terms|) is below an f32 ulp for n < 2^20.
 */

/** Σ a[aOffset + i]·b[bOffset + i]. Four accumulators, so that additions do not wait for each other. */
export function dot(
  a: Float32Array,
  aOffset: number,
  b: Float32Array,
  bOffset: number,
  length: number,
): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  const unrolled = length - (length % 4);
  for (let i = 0; i < unrolled; i += 4) {
    sum0 += a[aOffset + i]! * b[bOffset + i]!;
    sum1 += a[aOffset + i + 1]! * b[bOffset + i + 1]!;
    sum2 += a[aOffset + i + 2]! * b[bOffset + i + 2]!;
    sum3 += a[aOffset + i + 3]! * b[bOffset + i + 3]!;
  }
  for (let i = unrolled; i < length; i++) sum0 += a[aOffset + i]! * b[bOffset + i]!;
  return sum0 + sum1 + (sum2 + sum3);
}

/** Four dot products of one weight row with four rows of x, `length` apart, into `sums`: the weight is loaded once. */
export function dot4(
  w: Float32Array,
  wOffset: number,
  x: Float32Array,
  xOffset: number,
  length: number,
  sums: Float64Array,
): void {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  const x1 = xOffset + length;
  const x2 = x1 + length;
  const x3 = x2 + length;
  for (let i = 0; i < length; i++) {
    const weight = w[wOffset + i]!;
    sum0 += weight * x[xOffset + i]!;
    sum1 += weight * x[x1 + i]!;
    sum2 += weight * x[x2 + i]!;
    sum3 += weight * x[x3 + i]!;
  }
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}
