/**
 * Dynamic programming over layers whose bytes are multiples of one unit.
 * values[u] = the least cost of the layers added so far within u units; adding a layer is one (min, +) product:
 *   new[u] = min over choices i of values[u - units(i)] + cost(i)
 * A convex run of choices at equal distances costs O(u log u) instead of O(u * choices): the best predecessor moves
 * only forward as u grows, so each row searches between its neighbours' (monotone minima; Aggarwal et al., Geometric applications
 * of a matrix-searching algorithm, 1987). A choice off the convex curve, such as the saved split of a full layer, is a run of one.
 */
import { type Front, paretoFront } from "./front.ts";

/** A run of a front's choices `first` .. `last`, `step` units apart, whose costs are convex. */
interface Run {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** Relative departure from convexity that counts as rounding: sums of some thousand terms stay far below it. */
const convexityTolerance = 1e-12;

/** A run shorter than this is cheaper point by point than by halving. */
const shortestRun = 8;

export class LayerTable {
  readonly unit: number;
  readonly #capacity: number;
  readonly #picks: {
    readonly layer: number;
    readonly front: Front;
    readonly choice: Uint16Array;
  }[] = [];
  #values: Float64Array = Float64Array.of(0);
  #front: Front | undefined;

  /** `capacityBytes`: no more than this is ever asked for. */
  constructor(unit: number, capacityBytes: number) {
    this.unit = unit;
    this.#capacity = Math.floor(capacityBytes / unit);
  }

  /** Adds one layer: `front` are its choices, whose tags are hot groups. */
  add(layer: number, front: Front): void {
    const units = front.bytes.map((bytes) => bytes / this.unit);
    const reach = this.#values.length - 1;
    const rows = Math.min(this.#capacity, reach + (units[units.length - 1] ?? 0)) + 1;
    const product = new Product(this.#values, rows);
    for (const run of convexRuns(units, front.costs)) product.include(run, units, front.costs);
    product.levelOff();
    this.#picks.push({ layer, front, choice: product.choice });
    this.#values = product.values;
    this.#front = undefined;
  }

  /** The lowest cost of the layers so far within a capacity in bytes; its tag is in units. */
  cheapest(capacityBytes: number): { readonly tag: number; readonly cost: number } {
    const tag = Math.min(Math.floor(capacityBytes / this.unit), this.#values.length - 1);
    return { tag, cost: this.#values[tag] ?? 0 };
  }

  /** The undominated totals so far; tags are units. */
  front(): Front {
    this.#front ??= paretoFront({
      bytes: this.#values.map((_, units) => units * this.unit),
      costs: this.#values,
      tags: Uint32Array.from(this.#values, (_, units) => units),
    });
    return this.#front;
  }

  /** Writes into `hotGroups` the choice of each layer from `firstLayer` on that makes up the total `units`. */
  restore(units: number, firstLayer: number, hotGroups: number[]): void {
    for (let i = this.#picks.length - 1; i >= 0; i--) {
      const pick = this.#picks[i];
      if (pick === undefined || pick.layer < firstLayer) continue;
      units = Math.min(units, pick.choice.length - 1);
      const choice = pick.choice[units] ?? 0;
      hotGroups[pick.layer] = pick.front.tags[choice] ?? 0;
      units -= (pick.front.bytes[choice] ?? 0) / this.unit;
    }
  }
}

/** The growing result of one (min, +) product. */
class Product {
  readonly values: Float64Array;
  readonly choice: Uint16Array;
  readonly #before: Float64Array;

  constructor(before: Float64Array, rows: number) {
    this.#before = before;
    this.values = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
    this.choice = new Uint16Array(rows);
  }

  include(run: Run, units: Float64Array, costs: Float64Array): void {
    if (run.last - run.first + 1 >= shortestRun) {
      this.#includeRun(run, units, costs);
      return;
    }
    for (let i = run.first; i <= run.last; i++) {
      this.#includePoint(i, units[i] ?? 0, costs[i] ?? 0);
    }
  }

  /** More units never cost more: carries the last best forward over rows that no choice reached exactly. */
  levelOff(): void {
    const { values, choice } = this;
    for (let u = 1; u < values.length; u++) {
      if ((values[u] ?? 0) <= (values[u - 1] ?? 0)) continue;
      values[u] = values[u - 1] ?? 0;
      choice[u] = choice[u - 1] ?? 0;
    }
  }

  #includePoint(index: number, units: number, cost: number): void {
    const { values, choice } = this;
    const end = Math.min(values.length, units + this.#before.length);
    for (let u = units; u < end; u++) {
      const total = (this.#before[u - units] ?? 0) + cost;
      if (total >= (values[u] ?? 0)) continue;
      values[u] = total;
      choice[u] = index;
    }
  }

  #includeRun(run: Run, units: Float64Array, costs: Float64Array): void {
    const start = units[run.first] ?? 0;
    const length = run.last - run.first;
    for (let residue = 0; residue < run.step && residue < this.#before.length; residue++) {
      const predecessors = Math.ceil((this.#before.length - residue) / run.step);
      const rowsLeft = Math.ceil((this.values.length - start - residue) / run.step);
      const rows = Math.min(rowsLeft, predecessors + length);
      if (rows > 0)
        this.#solveRows({ run, costs, offset: start + residue, residue, rows, predecessors });
    }
  }

  /** Every second row between solved neighbours, from wide to narrow: a row searches only between their best ones. */
  #solveRows(lane: Lane): void {
    const { run, rows, predecessors } = lane;
    const best = new Int32Array(rows);
    let stride = 1;
    while (stride * 2 <= rows) stride *= 2;
    for (; stride >= 1; stride /= 2) {
      for (let row = stride - 1; row < rows; row += 2 * stride) {
        const low = row >= stride ? (best[row - stride] ?? 0) : 0;
        const high = row + stride < rows ? (best[row + stride] ?? 0) : predecessors - 1;
        const from = Math.max(low, row - (run.last - run.first));
        best[row] = this.#solveRow(lane, row, { from, to: Math.min(high, row) });
      }
    }
  }

  #solveRow(
    lane: Lane,
    row: number,
    range: { readonly from: number; readonly to: number },
  ): number {
    const { run, costs, offset, residue } = lane;
    const before = this.#before;
    let bestCost = Number.POSITIVE_INFINITY;
    let best = range.from;
    for (let p = range.from; p <= range.to; p++) {
      const total = (before[residue + p * run.step] ?? 0) + (costs[run.first + row - p] ?? 0);
      if (total >= bestCost) continue;
      bestCost = total;
      best = p;
    }
    const u = offset + row * run.step;
    if (bestCost < (this.values[u] ?? 0)) {
      this.values[u] = bestCost;
      this.choice[u] = run.first + row - best;
    }
    return best;
  }
}

/** One residue of a run: row r is u = offset + step * r, its predecessors are residue + step * p, p <= r. */
interface Lane {
  readonly run: Run;
  readonly costs: Float64Array;
  readonly offset: number;
  readonly residue: number;
  readonly rows: number;
  readonly predecessors: number;
}

/** Cuts a front into maximal runs of equal distance and convex costs. */
function convexRuns(units: Float64Array, costs: Float64Array): readonly Run[] {
  const runs: Run[] = [];
  const scale = Math.abs(costs[0] ?? 0) + Math.abs(costs[costs.length - 1] ?? 0);
  let first = 0;
  while (first < units.length) {
    const step = (units[first + 1] ?? 0) - (units[first] ?? 0);
    let last = Math.min(first + 1, units.length - 1);
    while (last + 1 < units.length && (units[last + 1] ?? 0) - (units[last] ?? 0) === step) {
      const bend = (costs[last + 1] ?? 0) - 2 * (costs[last] ?? 0) + (costs[last - 1] ?? 0);
      if (bend < -convexityTolerance * scale) break;
      last++;
    }
    runs.push({ first, last, step });
    first = last + 1;
  }
  return runs;
}
