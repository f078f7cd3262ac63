/**
 * One point from each of several fronts, at the least total cost within a capacity in bytes: a multiple-choice
 * knapsack with few classes or without a common unit. A Lagrangian bound, a local search, then lists of undominated
 * partial totals cut by the bound (after Pisinger, A minimal algorithm for the multiple-choice knapsack problem, 1995).
 */
import { type Front, lastWithin, lowerHull } from "./front.ts";

/** A front with what every merge of it needs. */
export interface MergeFront extends Front {
  readonly hull: Uint32Array;
}

export function mergeFront(front: Front): MergeFront {
  return { ...front, hull: lowerHull(front) };
}

export interface MergeBound {
  /** No selection within the capacity costs less. */
  readonly bound: number;
  /** The price per byte that gives the bound. */
  readonly price: number;
}

/** What a merge found: undefined picks mean that nothing costs less than what was known. */
interface Merged {
  readonly found: MergePicks | undefined;
  /** Equal to the cost found, or known, when it is proven to be the least. */
  readonly bound: number;
}

/**
 * How many partial totals a search may still look at: about 0.15 µs each with their merging, so 1e7 are 1.5 s.
 * A count, not a clock: the same problem gives the same placement on every machine.
 */
export interface MergeWork {
  left: number;
}

export const mergeWork = 1e7;

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

/** The best selection that costs less than the cutoff; exact unless the work runs out: then the bound says so. */
export function mergeFronts(
  fronts: readonly MergeFront[],
  goal: MergeGoal,
  work: MergeWork,
): Merged {
  const { capacity, cutoff, start } = goal;
  const tolerance = costTolerance * (Math.abs(cutoff) + Math.abs(start.bound));
  const slack = cutoff - start.bound + tolerance;
  if (slack <= 2 * tolerance) return { found: undefined, bound: cutoff };
  const classes = fronts.map((front, index) => reduceFront(front, index, start.price, slack));
  classes.sort((a, b) => a.bytes.length - b.bytes.length);
  const last = classes.pop();
  if (last === undefined) return { found: undefined, bound: cutoff };
  const limit = {
    capacity:
      capacity -
      (last.bytes[0] ?? 0) -
      classes.reduce((sum, { bytes }) => sum + (bytes[0] ?? 0), 0),
    price: start.price,
    pricedCost: slack,
  };
  let states = initialStates;
  const steps: { readonly choices: Choices; readonly states: States }[] = [];
  for (const choices of classes) {
    work.left -= states.bytes.length * choices.bytes.length;
    if (work.left < 0) return { found: undefined, bound: start.bound };
    limit.capacity += choices.bytes[0] ?? 0;
    limit.pricedCost += choices.cheapest;
    states = extend(states, choices, limit);
    steps.push({ choices, states });
  }
  const best = finish(states, last, capacity);
  if (best === undefined || best.cost >= cutoff) return { found: undefined, bound: cutoff };
  const picks = fronts.map(() => 0);
  picks[last.index] = last.tags[best.choice] ?? 0;
  let state = best.state;
  for (const step of steps.reverse()) {
    picks[step.choices.index] = step.choices.tags[step.states.choice[state] ?? 0] ?? 0;
    state = step.states.parent[state] ?? 0;
  }
  const cost = totalCost(fronts, picks);
  return { found: { picks, cost }, bound: cost };
}

/** A front without the points that the bound rules out; `cheapest` is the least priced cost. Tags index the front. */
interface Choices extends Front {
  readonly index: number;
  readonly cheapest: number;
}

/** Undominated partial totals in rising order of bytes. */
interface States {
  readonly bytes: Float64Array;
  readonly costs: Float64Array;
  readonly parent: Uint32Array;
  readonly choice: Uint32Array;
}

/** A partial total beyond `capacity`, or whose cost + price * bytes is above `pricedCost`, leads nowhere. */
interface StateLimit {
  readonly capacity: number;
  readonly price: number;
  readonly pricedCost: number;
}

const initialStates: States = {
  bytes: Float64Array.of(0),
  costs: Float64Array.of(0),
  parent: Uint32Array.of(0),
  choice: Uint32Array.of(0),
};

function reduceFront(front: Front, index: number, price: number, slack: number): Choices {
  let cheapest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < front.bytes.length; i++) {
    cheapest = Math.min(cheapest, pricedCost(front, i, price));
  }
  const kept: number[] = [];
  for (let i = 0; i < front.bytes.length; i++) {
    if (pricedCost(front, i, price) - cheapest <= slack) kept.push(i);
  }
  return {
    index,
    cheapest,
    bytes: Float64Array.from(kept, (i) => front.bytes[i] ?? 0),
    costs: Float64Array.from(kept, (i) => front.costs[i] ?? 0),
    tags: Uint32Array.from(kept),
  };
}

/** All states times all choices, without those over the limits or beaten: shifted lists merged in pairs. */
function extend(states: States, choices: Choices, limit: StateLimit): States {
  const shifted = (low: number, high: number): States => {
    if (low === high) return shift(states, choices, low, limit);
    const middle = (low + high) >>> 1;
    return union(shifted(low, middle), shifted(middle + 1, high));
  };
  return shifted(0, choices.bytes.length - 1);
}

function shift(states: States, choices: Choices, choice: number, limit: StateLimit): States {
  const shifted = emptyStates(states.bytes.length);
  const [addedBytes, addedCost] = [choices.bytes[choice] ?? 0, choices.costs[choice] ?? 0];
  let count = 0;
  for (let i = 0; i < states.bytes.length; i++) {
    const bytes = (states.bytes[i] ?? 0) + addedBytes;
    const cost = (states.costs[i] ?? 0) + addedCost;
    if (bytes > limit.capacity) break;
    if (cost + limit.price * bytes > limit.pricedCost) continue;
    shifted.bytes[count] = bytes;
    shifted.costs[count] = cost;
    shifted.parent[count] = i;
    shifted.choice[count] = choice;
    count++;
  }
  return truncated(shifted, count);
}

/** Both lists in order of bytes, without points that one of no more bytes beats. */
function union(a: States, b: States): States {
  const merged = emptyStates(a.bytes.length + b.bytes.length);
  let [i, j, count, best] = [0, 0, 0, Number.POSITIVE_INFINITY];
  while (i < a.bytes.length || j < b.bytes.length) {
    const fromA = j >= b.bytes.length || precedes(a, i, b, j);
    const source = fromA ? a : b;
    const at = fromA ? i++ : j++;
    const cost = source.costs[at] ?? 0;
    if (cost >= best) continue;
    best = cost;
    merged.bytes[count] = source.bytes[at] ?? 0;
    merged.costs[count] = cost;
    merged.parent[count] = source.parent[at] ?? 0;
    merged.choice[count] = source.choice[at] ?? 0;
    count++;
  }
  return truncated(merged, count);
}

function emptyStates(size: number): States {
  return {
    bytes: new Float64Array(size),
    costs: new Float64Array(size),
    parent: new Uint32Array(size),
    choice: new Uint32Array(size),
  };
}

function truncated(states: States, count: number): States {
  return {
    bytes: states.bytes.slice(0, count),
    costs: states.costs.slice(0, count),
    parent: states.parent.slice(0, count),
    choice: states.choice.slice(0, count),
  };
}

function precedes(a: States, i: number, b: States, j: number): boolean {
  if (i >= a.bytes.length) return false;
  const bytesA = a.bytes[i] ?? 0;
  const bytesB = b.bytes[j] ?? 0;
  return bytesA < bytesB || (bytesA === bytesB && (a.costs[i] ?? 0) <= (b.costs[j] ?? 0));
}

/** The best pair of a state and a choice of the last class: for each state the last choice that fits. */
function finish(
  states: States,
  last: Choices,
  capacity: number,
): { readonly state: number; readonly choice: number; readonly cost: number } | undefined {
  let best: { state: number; choice: number; cost: number } | undefined;
  for (let state = 0; state < states.bytes.length; state++) {
    const choice = lastWithin(last, capacity - (states.bytes[state] ?? 0));
    if (choice < 0) continue;
    const cost = (states.costs[state] ?? 0) + (last.costs[choice] ?? 0);
    if (best === undefined || cost < best.cost) best = { state, choice, cost };
  }
  return best;
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

/** Two pointers: as a's point grows, the largest of b that fits only shrinks. */
function bestPair(
  frontA: Front,
  frontB: Front,
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

function pricedCost(front: Front, i: number, price: number): number {
  return (front.costs[i] ?? 0) + price * (front.bytes[i] ?? 0);
}

function totalBytes(fronts: readonly Front[], picks: readonly number[]): number {
  return fronts.reduce((sum, front, i) => sum + (front.bytes[picks[i] ?? 0] ?? 0), 0);
}

function totalCost(fronts: readonly Front[], picks: readonly number[]): number {
  return fronts.reduce((sum, front, i) => sum + (front.costs[picks[i] ?? 0] ?? 0), 0);
}
