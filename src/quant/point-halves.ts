/**
 * The search for the nearest of a grid's points of eight numbers. Thousands of points have few different halves (at most
 * 81 of three levels), so each half is multiplied once, and a first half that cannot win with any second is passed over.
 */
const half = 4;

interface Halves {
  /** The different halves, four numbers each. */
  readonly numbers: Float64Array;
  /** The sum of w * h * (u - h / 2) over a half, for the units that are looked at. */
  readonly gains: Float64Array;
}

export class PointHalves {
  readonly #first: Halves;
  readonly #second: Halves;
  /** The points of first half h are those of `order` from `begins[h]` up to `begins[h + 1]`. */
  readonly #begins: Uint32Array;
  readonly #order: Uint16Array;
  /** The second half of each of `order`. */
  readonly #seconds: Uint16Array;

  /** @param points [points, 8] */
  constructor(points: Float64Array) {
    const count = points.length / (2 * half);
    const first = halvesOf(points, 0);
    const second = halvesOf(points, half);
    this.#first = first;
    this.#second = second;
    const order = Array.from({ length: count }, (_, point) => point).sort(
      (a, b) => first.of[a]! - first.of[b]! || a - b,
    );
    this.#order = Uint16Array.from(order);
    this.#seconds = Uint16Array.from(order, (point) => second.of[point]!);
    this.#begins = new Uint32Array(first.gains.length + 1);
    for (const h of first.of) this.#begins[h + 1]!++;
    for (let h = 0; h < first.gains.length; h++) this.#begins[h + 1]! += this.#begins[h]!;
  }

  /** The point with the largest sum of w * p * (u - p / 2) for the units u from `begin`; of equals, the first. */
  nearest(units: Float64Array, begin: number, weights: Float64Array): number {
    fillGains(this.#first, units.subarray(begin), weights);
    const mostOfSecond = fillGains(
      this.#second,
      units.subarray(begin + half),
      weights.subarray(half),
    );
    const firstGains = this.#first.gains;
    const secondGains = this.#second.gains;
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let h = 0; h < firstGains.length; h++) {
      const gainOfFirst = firstGains[h]!;
      if (gainOfFirst + mostOfSecond < most) continue;
      const end = this.#begins[h + 1]!;
      for (let i = this.#begins[h]!; i < end; i++) {
        const gain = gainOfFirst + secondGains[this.#seconds[i]!]!;
        if (gain < most || (gain === most && this.#order[i]! > best)) continue;
        most = gain;
        best = this.#order[i]!;
      }
    }
    return best;
  }
}

/** The different halves from number `at` of each point, and which one each point has. */
function halvesOf(points: Float64Array, at: number): Halves & { readonly of: readonly number[] } {
  const known = new Map<string, number>();
  const numbers: number[] = [];
  const of: number[] = [];
  for (let i = at; i < points.length; i += 2 * half) {
    const these = points.subarray(i, i + half);
    const key = these.join();
    if (!known.has(key)) {
      known.set(key, known.size);
      numbers.push(...these);
    }
    of.push(known.get(key)!);
  }
  return { numbers: Float64Array.from(numbers), gains: new Float64Array(known.size), of };
}

/** Returns the largest gain. */
function fillGains({ numbers, gains }: Halves, units: Float64Array, weights: Float64Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let h = 0, i = 0; h < gains.length; h++) {
    let gain = 0;
    for (let j = 0; j < half; j++, i++) {
      const number = numbers[i]!;
      gain += weights[j]! * number * (units[j]! - number / 2);
    }
    gains[h] = gain;
    if (gain > most) most = gain;
  }
  return most;
}
