/**
 * Undominated partial totals of several fronts, cut by a bound: the lists of an exact search for one point from each
 * front (after Pisinger, A minimal algorithm for the multiple-choice knapsack problem, 1995).
 */
import type { Front } from "./front.ts";

/**
 * The undominated partial totals of some of the classes. Two such lists, a half of the classes each, are far shorter
 * than one of all, and their best pair is found in one pass over both (Horowitz and Sahni, 1974).
 */
export class PartialTotals {
  states: States = initialStates;
  readonly #steps: { readonly choices: Choices; readonly states: States }[] = [];
  readonly #limit: StateLimit;

  /** `spare`: capacity beyond the least bytes of all classes. `slack`: what a total may cost above the bound. */
  constructor(price: number, spare: number, slack: number) {
    this.#limit = { price, capacity: spare, pricedCost: slack };
  }

  add(choices: Choices): void {
    this.#limit.capacity += choices.bytes[0] ?? 0;
    this.#limit.pricedCost += choices.cheapest;
    this.states = extend(this.states, choices, this.#limit);
    this.#steps.push({ choices, states: this.states });
  }

  /** Writes the points that make up a total into `picks`. */
  restore(state: number, picks: number[]): void {
    for (const { choices, states } of this.#steps.toReversed()) {
      picks[choices.index] = choices.tags[states.choice[state] ?? 0] ?? 0;
      state = states.parent[state] ?? 0;
    }
  }
}

/** A front without the points that the bound rules out; `cheapest` is the least priced cost. Tags index the front. */
export interface Choices extends Front {
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
  readonly price: number;
  capacity: number;
  pricedCost: number;
}

const initialStates: States = {
  bytes: Float64Array.of(0),
  costs: Float64Array.of(0),
  parent: Uint32Array.of(0),
  choice: Uint32Array.of(0),
};

export function reduceFront(front: Front, index: number, price: number, slack: number): Choices {
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

function pricedCost(front: Front, i: number, price: number): number {
  return (front.costs[i] ?? 0) + price * (front.bytes[i] ?? 0);
}
