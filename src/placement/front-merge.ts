/**
 * One point from each of several fronts, at the least total cost within a capacity in bytes: a multiple-choice
 * knapsack with few classes or without a common unit. A Lagrangian bound, a local search, then the best pair of two
 * lists of partial totals, of half of the fronts each.
 */
import { type Front, lastWithin, lowerHull } from "./front.ts";
import { PartialTotals, reduceFront } from "./partial-totals.ts";

/** A front with what every merge of it needs. */
export interface MergeFront extends Front {
  readonly hull: Uint32Array;
}

export function mergeFront(front: Front): MergeFront {
  return { ...front, hull: lowerHull(front) };
}

/** Without the points beyond a capacity: they would only weaken the bound. */
export function frontWithin(front: MergeFront, capacity: number): MergeFront {
  const count = lastWithin(front, capacity) + 1;
  if (count === front.bytes.length || count === 0) return front;
  const { bytes, costs, tags } = front;
  return mergeFront({
    bytes: bytes.subarray(0, count),
    costs: costs.subarray(0, count),
    tags: tags.subarray(0, count),
  });
}

export interface MergeBound {
  /** No selection within the capacity costs less. */
  readonly bound: number;
  /** The price per byte that gives the bound. */
  readonly price: number;
}

/** What a merge found: undefined picks mean that nothing costs less than the cutoff. */
type Merged =
  | { readonly kind: "searched"; readonly found: MergePicks | undefined }
  | { readonly kind: "exhausted" };

const nothingBetter: Merged = { kind: "searched", found: undefined };

/**
 * How many partial totals a search may still look at: about 0.03 µs each with their merging, so 1e8 are some 2 s.
 * A count, not a clock: the same problem gives the same placement on every machine.
 */
export interface MergeWork {
  left: number;
}

export const mergeWork = 1e8;

/** Costs this close, relative to their size, are one: sums in another order differ by less. */
export const costTolerance = 1e-12;

/** max over prices of [sum of min(cost + price * bytes)] - price * capacity, by halving the interval of prices. */
export function mergeBound(fronts: readonly MergeFront[], capacity: number): MergeBound {
  const free = selectAtPrice(fronts, 0);
  if (free.bytes <= capacity) return { bound: free.cost, price: 0 };
  let low = 0;
  let high = steepestPrice(fronts);
  let best = { bound: dualValue(fronts, capacity, high), price: high };
  for (let i = 0; i < 60 && high - low > 1e-15 * high; i++) {
    const price = (low + high) / 2;
    const { bytes } = selectAtPrice(fronts, price);
    if (bytes > capacity) low = price;
    else high = price;
    const bound = dualValue(fronts, capacity, price);
    if (bound > best.bound) best = { bound, price };
  }
  return best;
}

/** A selection and its cost. */
export interface MergePicks {
  /** Index into each front. */
  readonly picks: readonly number[];
  readonly cost: number;
}

/** The selection at the price, or a little above it, that fits; then each front improved alone. Undefined: none fits. */
export function mergeRounded(
  fronts: readonly MergeFront[],
  capacity: number,
  price: number,
): MergePicks | undefined {
  let { picks } = selectAtPrice(fronts, price);
  for (let i = 0; i < 60 && totalBytes(fronts, picks) > capacity; i++) {
    price *= 1 + 2 ** (i - 50);
    ({ picks } = selectAtPrice(fronts, price));
  }
  if (totalBytes(fronts, picks) > capacity) picks = fronts.map(() => 0);
  let spare = capacity - totalBytes(fronts, picks);
  if (spare < 0) return undefined;
  for (const [index, front] of fronts.entries()) {
    const bytes = front.bytes[picks[index] ?? 0] ?? 0;
    picks[index] = lastWithin(front, bytes + spare);
    spare += bytes - (front.bytes[picks[index] ?? 0] ?? 0);
  }
  return { picks, cost: totalCost(fronts, picks) };
}

/** Each pair of fronts improved with the others held, in up to four rounds: near the optimum in practice. */
export function mergeImproved(
  fronts: readonly MergeFront[],
  capacity: number,
  from: MergePicks,
): MergePicks {
  const picks = [...from.picks];
  for (let round = 0; round < 4 && improvePairs(fronts, picks, capacity); round++);
  return { picks, cost: totalCost(fronts, picks) };
}

/** What a merge is to find: a total within `capacity` that costs less than `cutoff`. */
interface MergeGoal {
  readonly capacity: number;
  readonly cutoff: number;
  readonly start: MergeBound;
}

/** The best selection that costs less than the cutoff, unless the work runs out. */
export function mergeFronts(
  fronts: readonly MergeFront[],
  goal: MergeGoal,
  work: MergeWork,
): Merged {
  const { capacity, cutoff, start } = goal;
  const tolerance = costTolerance * (Math.abs(cutoff) + Math.abs(start.bound));
  const slack = cutoff - start.bound + tolerance;
  if (slack <= 2 * tolerance) return nothingBetter;
  const classes = fronts.map((front, index) => reduceFront(front, index, start.price, slack));
  classes.sort((a, b) => a.bytes.length - b.bytes.length);
  const least = classes.reduce((sum, { bytes }) => sum + (bytes[0] ?? 0), 0);
  const halves = [
    new PartialTotals(start.price, capacity - least, slack),
    new PartialTotals(start.price, capacity - least, slack),
  ] as const;
  for (const choices of classes) {
    const [a, b] = halves;
    const half = a.states.bytes.length <= b.states.bytes.length ? a : b;
    work.left -= half.states.bytes.length * choices.bytes.length;
    if (work.left < 0) return { kind: "exhausted" };
    half.add(choices);
  }
  const best = bestPair(halves[0].states, halves[1].states, capacity);
  if (best === undefined || best.cost >= cutoff) return nothingBetter;
  const picks = fronts.map(() => 0);
  halves[0].restore(best.a, picks);
  halves[1].restore(best.b, picks);
  return { kind: "searched", found: { picks, cost: totalCost(fronts, picks) } };
}

function improvePairs(fronts: readonly MergeFront[], picks: number[], capacity: number): boolean {
  let spare = capacity - totalBytes(fronts, picks);
  let improved = false;
  for (const [a, frontA] of fronts.entries()) {
    for (let b = 0; b <= a; b++) {
      const frontB = b === a ? pointFront : (fronts[b] ?? pointFront);
      const [pickA, pickB] = [picks[a] ?? 0, b === a ? 0 : (picks[b] ?? 0)];
      const bytes = (frontA.bytes[pickA] ?? 0) + (frontB.bytes[pickB] ?? 0);
      const cost = (frontA.costs[pickA] ?? 0) + (frontB.costs[pickB] ?? 0);
      const found = bestPair(frontA, frontB, bytes + spare);
      if (found === undefined || found.cost >= cost - costTolerance * Math.abs(cost)) continue;
      picks[a] = found.a;
      if (b !== a) picks[b] = found.b;
      spare = capacity - totalBytes(fronts, picks);
      improved = true;
    }
  }
  return improved;
}

/** One point that costs nothing: the partner of a front that is improved alone. */
const pointFront: Front = {
  bytes: Float64Array.of(0),
  costs: Float64Array.of(0),
  tags: Uint32Array.of(0),
};

/** Bytes that rise and costs that fall. */
type Totals = Pick<Front, "bytes" | "costs">;

/** Two pointers: as a's point grows, the largest of b that fits only shrinks. */
function bestPair(
  frontA: Totals,
  frontB: Totals,
  capacity: number,
): { readonly a: number; readonly b: number; readonly cost: number } | undefined {
  let best: { a: number; b: number; cost: number } | undefined;
  let b = frontB.bytes.length - 1;
  for (let a = 0; a < frontA.bytes.length; a++) {
    while (b >= 0 && (frontA.bytes[a] ?? 0) + (frontB.bytes[b] ?? 0) > capacity) b--;
    if (b < 0) break;
    const cost = (frontA.costs[a] ?? 0) + (frontB.costs[b] ?? 0);
    if (best === undefined || cost < best.cost) best = { a, b, cost };
  }
  return best;
}

function steepestPrice(fronts: readonly MergeFront[]): number {
  let steepest = 0;
  for (const front of fronts) {
    const [a, b] = [front.hull[0] ?? 0, front.hull[1] ?? 0];
    if (a === b) continue;
    const slope =
      ((front.costs[a] ?? 0) - (front.costs[b] ?? 0)) /
      ((front.bytes[b] ?? 0) - (front.bytes[a] ?? 0));
    steepest = Math.max(steepest, slope);
  }
  return 2 * steepest;
}

function selectAtPrice(
  fronts: readonly MergeFront[],
  price: number,
): { readonly picks: number[]; readonly bytes: number; readonly cost: number } {
  const picks = fronts.map((front) => cheapestOnHull(front, price));
  return { picks, bytes: totalBytes(fronts, picks), cost: totalCost(fronts, picks) };
}

function dualValue(fronts: readonly MergeFront[], capacity: number, price: number): number {
  const selected = selectAtPrice(fronts, price);
  return selected.cost + price * (selected.bytes - capacity);
}

/** The first point of the hull after which a byte saves no more than its price: slopes rise along the hull. */
function cheapestOnHull(front: MergeFront, price: number): number {
  let low = 0;
  let high = front.hull.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const [a, b] = [front.hull[middle] ?? 0, front.hull[middle + 1] ?? 0];
    const saved = (front.costs[a] ?? 0) - (front.costs[b] ?? 0);
    if (saved > price * ((front.bytes[b] ?? 0) - (front.bytes[a] ?? 0))) low = middle + 1;
    else high = middle;
  }
  return front.hull[low] ?? 0;
}

function totalBytes(fronts: readonly Front[], picks: readonly number[]): number {
  return fronts.reduce((sum, front, i) => sum + (front.bytes[picks[i] ?? 0] ?? 0), 0);
}

function totalCost(fronts: readonly Front[], picks: readonly number[]): number {
  return fronts.reduce((sum, front, i) => sum + (front.costs[picks[i] ?? 0] ?? 0), 0);
}
