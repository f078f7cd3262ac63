/**
 * The active set of a block in a slot, as `predict` writes it: element i of a row holds the neurons 16·i to 16·i + 15 as a
 * whole number below 2^16, whose bit b stands for neuron 16·i + b. Such numbers are exact in f32 on every device, and no
 * copy between devices can mistake them for NaN.
 */

/** Neurons in one element. */
export const neuronsPerElement = 16;

/** Width of the slot for so many neurons. */
export function activeWidth(neurons: number): number {
  return Math.ceil(neurons / neuronsPerElement);
}

/** `row`: f32 [activeWidth(neurons)]. */
export function isActiveIn(row: Float32Array, neuron: number): boolean {
  const bits = row[Math.floor(neuron / neuronsPerElement)] ?? 0;
  return ((bits >>> (neuron % neuronsPerElement)) & 1) === 1;
}

/** Writes the active set of one row. `neurons`: ids, in any order. */
export function writeActive(row: Float32Array, neurons: Iterable<number>): void {
  row.fill(0);
  for (const neuron of neurons) {
    const at = Math.floor(neuron / neuronsPerElement);
    row[at] = (row[at] ?? 0) + 2 ** (neuron % neuronsPerElement);
  }
}
