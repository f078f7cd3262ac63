/**
 * A plain quantiser for lattice types: the nearest point for each piece, the scale that fits the points best, and the
 * nearest points once more. native/kernels/quantise-lattice.h does the same, far faster.
 */
import { floatToHalf, halfToFloat } from "./half.ts";
import { blockElements, type LatticeFormat, type LatticeParts, octet } from "./lattice-format.ts";
import { PointHalves } from "./point-halves.ts";

export class LatticeQuantiser {
  readonly #format: LatticeFormat;
  readonly #parts: LatticeParts;
  /** How much each element of the block counts. */
  #weights: Float64Array = even;
  /** The grid, as numbers that need no conversion. */
  readonly #points: Float64Array;
  /** The search among points of eight numbers. */
  readonly #halves: PointHalves | undefined;
  readonly #scales: Float64Array;
  /** The largest number of the grid. */
  readonly #reach: number;
  /** The elements of a scale group, in units of its scale. */
  readonly #units: Float64Array;

  constructor(format: LatticeFormat, parts: LatticeParts) {
    this.#format = format;
    this.#parts = parts;
    const { width, values } = format.grid;
    this.#points = Float64Array.from(values);
    this.#halves = width === octet ? new PointHalves(this.#points) : undefined;
    this.#reach = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    this.#scales = new Float64Array(blockElements / format.scaleElements);
    this.#units = new Float64Array(format.scaleElements);
  }

  /** The parts of the block that begins at `from`; they are overwritten by the next call. */
  run(source: Float32Array, from: number, weights?: Float64Array): LatticeParts {
    this.#weights = weights ?? even;
    const { scaleElements, largestStep, factor } = this.#format;
    const parts = this.#parts;
    let largest = 0;
    for (let group = 0; group < this.#scales.length; group++) {
      const scale = this.#fit(source, from, group);
      this.#scales[group] = scale;
      largest = Math.max(largest, scale);
    }
    parts.d = halfToFloat(floatToHalf(largest / factor(largestStep)));
    for (let group = 0; group < this.#scales.length; group++) {
      const step = nearestStep(this.#format, parts.d === 0 ? 0 : this.#scales[group]! / parts.d);
      parts.steps[group] = step;
      this.#assign(source, from + group * scaleElements, group, parts.d * factor(step));
    }
    return parts;
  }

  /** The scale of a group that fits the points best which the widest sensible scale leads to. */
  #fit(source: Float32Array, from: number, group: number): number {
    const { scaleElements } = this.#format;
    const begin = from + group * scaleElements;
    let largest = 0;
    let squares = 0;
    for (let i = 0; i < scaleElements; i++) {
      const x = source[begin + i]!;
      largest = Math.max(largest, Math.abs(x));
      squares += x * x;
    }
    if (largest === 0) return 0;
    // A single outlier must not push all others below the smallest level.
    const rms = Math.sqrt(squares / scaleElements);
    const fit = this.#assign(source, begin, group, Math.min(largest, 2.2 * rms) / this.#reach);
    return Math.max(0, fit);
  }

  /** Chooses points and signs for a scale, and returns the scale that fits these best (least squares). */
  #assign(source: Float32Array, begin: number, group: number, scale: number): number {
    const { scaleElements, signs } = this.#format;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let i = 0; i < scaleElements; i++) this.#units[i] = source[begin + i]! * inverse;
    const first = group * scaleElements;
    if (signs === "shift") this.#chooseShifts(first);
    else for (let i = 0; i < scaleElements; i += octet) this.#takeSigns(i, (first + i) / octet);
    const { width, values } = this.#format.grid;
    let sumXG = 0;
    let sumGG = 0;
    for (let i = 0; i < scaleElements; i += width) {
      const point = this.#nearest(i, first + i);
      this.#parts.points[(first + i) / width] = point;
      for (let j = 0; j < width; j++) {
        const g = values[point * width + j]!;
        const wg = this.#weights[first + i + j]! * g;
        sumXG += this.#units[i + j]! * wg;
        sumGG += g * wg;
      }
    }
    return sumGG === 0 ? scale : (scale * sumXG) / sumGG;
  }

  /** Makes the units of eight elements positive, as far as the signs allow, and stores the signs. */
  #takeSigns(begin: number, index: number): void {
    const weights = this.#weights.subarray(index * octet);
    let bits = 0;
    let minuses = 0;
    let least = 0;
    for (let i = 0; i < octet; i++) {
      const unit = this.#units[begin + i]!;
      if (unit < 0) {
        bits |= 1 << i;
        minuses++;
        this.#units[begin + i] = -unit;
      }
      if (weights[i]! * Math.abs(unit) < weights[least]! * this.#units[begin + least]!) least = i;
    }
    if (this.#format.signs === "even" && minuses % 2 === 1) {
      bits ^= 1 << least;
      this.#units[begin + least]! *= -1;
    }
    this.#parts.signs[index] = bits;
  }

  /** The shift towards the mean, one for as many points as share one; the units are then what remains. */
  #chooseShifts(first: number): void {
    const shared = octet * (this.#format.shiftPoints ?? 1);
    const { scaleElements } = this.#format;
    for (let begin = 0; begin < scaleElements; begin += shared) {
      let sum = 0;
      for (let i = begin; i < begin + shared; i++)
        sum += this.#weights[first + i]! * this.#units[i]!;
      const sign = sum < 0 ? 1 : 0;
      for (let i = begin; i < begin + shared; i++) {
        this.#units[i]! += sign === 1 ? 0.125 : -0.125;
        if (i % octet === 0) this.#parts.signs[(first + i) / octet] = sign;
      }
    }
  }

  /** The point nearest to the units from `begin`: the one with the largest sum of w * p * (u - p / 2). */
  #nearest(begin: number, element: number): number {
    const weights = this.#weights.subarray(element);
    return this.#halves === undefined
      ? nearestOfFour(this.#points, this.#units.subarray(begin), weights)
      : this.#halves.nearest(this.#units, begin, weights);
  }
}

/** Written out: it is where the time goes. */
function nearestOfFour(points: Float64Array, units: Float64Array, weights: Float64Array): number {
  const [a, b, c, d] = units as unknown as Four;
  const [wa, wb, wc, wd] = weights as unknown as Four;
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (let point = 0, i = 0; i < points.length; point++, i += 4) {
    const [pa, pb] = [points[i]!, points[i + 1]!];
    const [pc, pd] = [points[i + 2]!, points[i + 3]!];
    const left = wa * pa * (a - pa / 2) + wb * pb * (b - pb / 2);
    const gain = left + wc * pc * (c - pc / 2) + wd * pd * (d - pd / 2);
    if (gain > most) {
      most = gain;
      best = point;
    }
  }
  return best;
}

type Four = readonly [number, number, number, number];

/** Where nothing is known, all elements count alike. */
const even = new Float64Array(blockElements).fill(1);

function nearestStep(format: LatticeFormat, wanted: number): number {
  let best = 0;
  for (let step = 1; step <= format.largestStep; step++) {
    if (Math.abs(format.factor(step) - wanted) < Math.abs(format.factor(best) - wanted))
      best = step;
  }
  return best;
}
