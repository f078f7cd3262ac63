/**
 * Quantiles of magnitudes in bounded memory, to a tenth of a per cent: a counter for each value of a float's exponent
 * and upper ten mantissa bits, so that a bucket is 1/1024 of its value wide wherever it lies.
 */
const mantissaBitsKept = 10;
const droppedBits = 23 - mantissaBitsKept;
/** Bits of the largest finite float. */
const largestFloat = floatOf(0x7f7fffff);
const buckets = 1 << (8 + mantissaBitsKept);

export class MagnitudeHistogram {
  readonly #counts = new Float64Array(buckets);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Adds |value| of each. NaN and infinities count as the largest. */
  add(values: Float32Array): void {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < bits.length; i++) {
      const bucket = ((bits[i] ?? 0) & 0x7fffffff) >>> droppedBits;
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    }
    this.#total += bits.length;
  }

  /** The smallest bucket's lower end below which lies at least this share of the magnitudes; 0 for none of them. */
  quantile(share: number): number {
    const wanted = share * this.#total;
    let below = 0;
    let bucket = 0;
    while (bucket < buckets && below < wanted) {
      below += this.#counts[bucket] ?? 0;
      bucket++;
    }
    return Math.min(lowerEnd(bucket), largestFloat);
  }
}

function lowerEnd(bucket: number): number {
  const end = floatOf(bucket << droppedBits);
  return Number.isNaN(end) ? largestFloat : end;
}

function floatOf(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0] ?? 0;
}
