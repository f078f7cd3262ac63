/** The largest elements of a vector in order: what samplers begin with. */

/** Room for them: index and value, falling by value, the lower index first on a tie. NaN comes before all numbers. */
export interface LargestElements {
  readonly indices: Int32Array | Float32Array;
  readonly values: Float32Array;
}

/** One pass with a sorted list of `count` (at most the number of elements): few elements beat the smallest of the list. */
export function selectLargest(elements: Float32Array, count: number, into: LargestElements): void {
  const { indices, values } = into;
  let filled = 0;
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index] ?? 0;
    if (filled === count && element <= (values[count - 1] ?? 0)) continue;
    if (filled === count && !comesBefore(element, values[count - 1] ?? 0)) continue;
    let place = filled < count ? filled++ : count - 1;
    while (place > 0 && comesBefore(element, values[place - 1] ?? 0)) {
      values[place] = values[place - 1] ?? 0;
      indices[place] = indices[place - 1] ?? 0;
      place--;
    }
    values[place] = element;
    indices[place] = index;
  }
}

function comesBefore(a: number, b: number): boolean {
  return a > b || (Number.isNaN(a) && !Number.isNaN(b));
}
