/** The inverse of a symmetric positive definite matrix, by Cholesky's L Lᵀ in double precision. */

/** matrix, result: [size, size]. @throws RangeError when the matrix is not positive definite. */
export function invertSymmetric(matrix: Float64Array, size: number): Float64Array {
  const lower = factorise(matrix, size);
  const inverted = invertLower(lower, size);
  const result = new Float64Array(size * size);
  // (L⁻¹)ᵀ L⁻¹, row k of L⁻¹ having columns 0 … k.
  for (let k = 0; k < size; k++) {
    const row = inverted.subarray(k * size, k * size + k + 1);
    for (let i = 0; i <= k; i++) {
      const factor = row[i] ?? 0;
      const at = i * size;
      for (let j = 0; j <= k; j++) result[at + j] = (result[at + j] ?? 0) + factor * (row[j] ?? 0);
    }
  }
  return result;
}

function factorise(matrix: Float64Array, size: number): Float64Array {
  const lower = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * size + j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (lower[i * size + k] ?? 0) * (lower[j * size + k] ?? 0);
      if (i !== j) lower[i * size + j] = sum / (lower[j * size + j] ?? 1);
      else if (sum > 0) lower[i * size + i] = Math.sqrt(sum);
      else throw new RangeError("the matrix is not positive definite");
    }
  }
  return lower;
}

function invertLower(lower: Float64Array, size: number): Float64Array {
  const inverse = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const scale = 1 / (lower[i * size + i] ?? 1);
    inverse[i * size + i] = scale;
    for (let k = 0; k < i; k++) {
      const factor = -(lower[i * size + k] ?? 0) * scale;
      if (factor === 0) continue;
      for (let j = 0; j <= k; j++) {
        const at = i * size + j;
        inverse[at] = (inverse[at] ?? 0) + factor * (inverse[k * size + j] ?? 0);
      }
    }
  }
  return inverse;
}
