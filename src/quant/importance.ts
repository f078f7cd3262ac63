/** How much each element of a block counts in the search for its scales, where an importance of its column is known. */

/**
 * Fills `weights`, one for each element of the block: importance · √(2·mean x² + x²), the mean being that of the block.
 * Undefined without an importance.
 * Source: ggml, quantize_row_q4_K_impl.
 */
export function importanceWeights(
  source: Float32Array,
  from: number,
  importance: Float32Array | undefined,
  weights: Float64Array,
): Float64Array | undefined {
  if (importance === undefined) return undefined;
  const count = weights.length;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += source[from + i]! * source[from + i]!;
  const mean = squares / count;
  for (let i = 0; i < count; i++) {
    const x = source[from + i]!;
    weights[i] = importance[from + i]! * Math.sqrt(2 * mean + x * x);
  }
  return weights;
}
