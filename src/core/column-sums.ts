/** What an importance matrix is made of. */

/** Of a matrix: over some tokens the sums of the squares of what each column was multiplied with. */
export interface ColumnSums {
  readonly name: string;
  readonly sums: Float64Array;
}
