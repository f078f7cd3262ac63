/**
 * What a product of two f32 matrices is, and its plain form: the native one (backends/cpu/sgemm.ts) computes the same,
 * hundreds of times faster. All matrices are row-major.
 */
export interface MatrixProduct {
  /** Of op(A) [rows, depth] and op(B) [depth, columns]. */
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
  /** Operands that lie transposed in memory: A as [depth, rows], B as [columns, depth]. Default: none. */
  readonly transposed?: "none" | "a" | "b";
  /** C [rows, columns] = op(A)·op(B), or that added to it. Default "assign". */
  readonly into?: "assign" | "add";
  readonly c: Float32Array;
}

export type MultiplyMatrices = (product: MatrixProduct) => Promise<void>;

/** Slow: about a hundred million multiply-adds a second. Each sum runs over the depth in order. */
export const multiplyPlainly: MultiplyMatrices = async (product) => {
  const { rows, columns, depth, a, b, c, transposed = "none", into = "assign" } = product;
  const [aRow, aStep] = transposed === "a" ? [1, rows] : [depth, 1];
  const [bStep, bColumn] = transposed === "b" ? [1, depth] : [columns, 1];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) {
        sum += (a[row * aRow + k * aStep] ?? 0) * (b[k * bStep + column * bColumn] ?? 0);
      }
      const at = row * columns + column;
      c[at] = into === "add" ? (c[at] ?? 0) + sum : sum;
    }
  }
};
