/** Sorts numbers without comparing them: a radix sort by the bits of a float, of which whole vocabularies are sorted in a millisecond. */

const digitBits = 11;
const digits = 1 << digitBits;
const passes = 3;

/** Its buffers are made once; sorting allocates nothing. */
export class FallingSorter {
  readonly #float: Float32Array;
  readonly #bits: Uint32Array;
  /** Keys and indices, of this pass and of the next. */
  #keys: Uint32Array;
  #nextKeys: Uint32Array;
  #order: Int32Array;
  #nextOrder: Int32Array;
  readonly #starts: Int32Array;

  constructor(capacity: number) {
    this.#float = new Float32Array(1);
    this.#bits = new Uint32Array(this.#float.buffer);
    this.#keys = new Uint32Array(capacity);
    this.#nextKeys = new Uint32Array(capacity);
    this.#order = new Int32Array(capacity);
    this.#nextOrder = new Int32Array(capacity);
    this.#starts = new Int32Array(digits);
  }

  /**
   * The indices of the first `count` values (at most the capacity), by falling value, the lower index first on a tie. NaN comes before all
   * numbers. The array is the sorter's own, valid until the next call.
   */
  order(values: Float32Array, count: number): Int32Array {
    for (let i = 0; i < count; i++) {
      this.#keys[i] = this.#keyOf(values[i] ?? 0);
      this.#order[i] = i;
    }
    for (let pass = 0; pass < passes; pass++) this.#sortByDigit(pass * digitBits, count);
    return this.#order;
  }

  /** Falls where the value rises. Adding 0 makes one zero of both. */
  #keyOf(value: number): number {
    if (Number.isNaN(value)) return 0;
    this.#float[0] = value + 0;
    const bits = this.#bits[0] ?? 0;
    return bits >= 0x8000_0000 ? bits : ~(bits | 0x8000_0000);
  }

  /** Stable: what a digit does not tell apart stays in the order of the digits before. */
  #sortByDigit(shift: number, count: number): void {
    const starts = this.#starts;
    const keys = this.#keys;
    starts.fill(0);
    for (let i = 0; i < count; i++) {
      const digit = ((keys[i] ?? 0) >>> shift) & (digits - 1);
      starts[digit] = (starts[digit] ?? 0) + 1;
    }
    let start = 0;
    for (let digit = 0; digit < digits; digit++) {
      const size = starts[digit] ?? 0;
      starts[digit] = start;
      start += size;
    }
    for (let i = 0; i < count; i++) {
      const key = keys[i] ?? 0;
      const digit = (key >>> shift) & (digits - 1);
      const place = starts[digit] ?? 0;
      starts[digit] = place + 1;
      this.#nextKeys[place] = key;
      this.#nextOrder[place] = this.#order[i] ?? 0;
    }
    [this.#keys, this.#nextKeys] = [this.#nextKeys, this.#keys];
    [this.#order, this.#nextOrder] = [this.#nextOrder, this.#order];
  }
}
