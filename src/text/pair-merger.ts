/**
 * Merges neighbouring symbols of a text, best pair first, until no pair can be merged: the loop that
 * SentencePiece and byte-pair encoding share. O(n log n) by a priority queue, as llama.cpp does
 * (llm_tokenizer_spm_session and llm_tokenizer_bpe_session of src/llama-vocab.cpp).
 */

import { LimitError } from "../core/errors.ts";

/** Priority of merging text[start, middle) with text[middle, end): the smallest goes first; Infinity is never. */
export type PairPriority = (start: number, middle: number, end: number) => number;

/**
 * The most symbols that are merged at once: a text of so many characters without a place to cut is no language, and
 * its work arrays would take more than the 1.2 GB that these may.
 */
const maxSymbols: number = 1 << 25;

/** Owns its work arrays, which are reused from one text to the next. */
export class PairMerger {
  readonly #queue = new PairQueue();
  #start = new Int32Array(0);
  #end = new Int32Array(0);
  #previous = new Int32Array(0);
  #next = new Int32Array(0);

  /**
   * `boundaries` are the offsets of the symbols and the end of the text, ascending.
   * Returns the boundaries that are left. @throws LimitError for more symbols than there may be.
   */
  merge(boundaries: ArrayLike<number>, priorityOf: PairPriority): number[] {
    const symbolCount = boundaries.length - 1;
    this.#reserve(symbolCount);
    this.#link(boundaries, symbolCount);
    for (let left = 0; left + 1 < symbolCount; left++) this.#offer(left, left + 1, priorityOf);
    while (this.#queue.pop()) this.#mergeFirst(priorityOf);
    const remaining: number[] = [];
    for (let symbol = 0; symbol !== -1 && symbol < symbolCount; symbol = this.#next[symbol] ?? -1) {
      remaining.push(this.#start[symbol] ?? 0);
    }
    remaining.push(boundaries[symbolCount] ?? 0);
    return remaining;
  }

  #reserve(symbolCount: number): void {
    if (symbolCount > maxSymbols) {
      throw new LimitError(
        `the text has a stretch of ${symbolCount} symbols without a place to cut; at most ${maxSymbols} can be merged into tokens: give it in parts`,
      );
    }
    if (symbolCount <= this.#start.length) return;
    this.#start = new Int32Array(symbolCount);
    this.#end = new Int32Array(symbolCount);
    this.#previous = new Int32Array(symbolCount);
    this.#next = new Int32Array(symbolCount);
  }

  #link(boundaries: ArrayLike<number>, symbolCount: number): void {
    for (let symbol = 0; symbol < symbolCount; symbol++) {
      this.#start[symbol] = boundaries[symbol] ?? 0;
      this.#end[symbol] = boundaries[symbol + 1] ?? 0;
      this.#previous[symbol] = symbol - 1;
      this.#next[symbol] = symbol + 1 < symbolCount ? symbol + 1 : -1;
    }
  }

  #offer(left: number, right: number, priorityOf: PairPriority): void {
    const end = this.#end[right] ?? 0;
    const priority = priorityOf(this.#start[left] ?? 0, this.#start[right] ?? 0, end);
    if (priority !== Number.POSITIVE_INFINITY) this.#queue.push(priority, left, right, end);
  }

  /** An entry is out of date when one of its symbols was merged since: then next or end differ. */
  #mergeFirst(priorityOf: PairPriority): void {
    const { left, right, end } = this.#queue;
    if (this.#next[left] !== right || this.#end[right] !== end) return;
    const after = this.#next[right] ?? -1;
    this.#end[left] = end;
    this.#end[right] = -1;
    this.#next[right] = -1;
    this.#next[left] = after;
    if (after !== -1) this.#previous[after] = left;
    const before = this.#previous[left] ?? -1;
    if (before !== -1) this.#offer(before, left, priorityOf);
    if (after !== -1) this.#offer(left, after, priorityOf);
  }
}

/** Binary heap of pairs by (priority, left), in parallel arrays so that a pair costs no object. */
class PairQueue {
  left = 0;
  right = 0;
  end = 0;
  #size = 0;
  #priorities = new Float64Array(64);
  #lefts = new Int32Array(64);
  #rights = new Int32Array(64);
  #ends = new Int32Array(64);

  push(priority: number, left: number, right: number, end: number): void {
    if (this.#size === this.#lefts.length) this.#grow(2 * this.#size);
    let slot = this.#size++;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!this.#goesBefore(priority, left, parent)) break;
      this.#move(parent, slot);
      slot = parent;
    }
    this.#write(slot, priority, left, right, end);
  }

  /** Takes the first pair into left, right, end; false when there is none. */
  pop(): boolean {
    if (this.#size === 0) return false;
    this.left = this.#lefts[0] ?? 0;
    this.right = this.#rights[0] ?? 0;
    this.end = this.#ends[0] ?? 0;
    this.#size--;
    this.#sinkLast();
    return true;
  }

  #grow(capacity: number): void {
    const priorities = new Float64Array(capacity);
    priorities.set(this.#priorities);
    this.#priorities = priorities;
    this.#lefts = grownTo(capacity, this.#lefts);
    this.#rights = grownTo(capacity, this.#rights);
    this.#ends = grownTo(capacity, this.#ends);
  }

  #sinkLast(): void {
    const last = this.#size;
    const priority = this.#priorities[last] ?? 0;
    const left = this.#lefts[last] ?? 0;
    let slot = 0;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#slotGoesBefore(child + 1, child)) child++;
      if (this.#goesBefore(priority, left, child)) break;
      this.#move(child, slot);
      slot = child;
    }
    this.#write(slot, priority, left, this.#rights[last] ?? 0, this.#ends[last] ?? 0);
  }

  #slotGoesBefore(slot: number, other: number): boolean {
    return this.#goesBefore(this.#priorities[slot] ?? 0, this.#lefts[slot] ?? 0, other);
  }

  #goesBefore(priority: number, left: number, slot: number): boolean {
    const other = this.#priorities[slot] ?? 0;
    return priority < other || (priority === other && left < (this.#lefts[slot] ?? 0));
  }

  #move(from: number, to: number): void {
    this.#priorities[to] = this.#priorities[from] ?? 0;
    this.#lefts[to] = this.#lefts[from] ?? 0;
    this.#rights[to] = this.#rights[from] ?? 0;
    this.#ends[to] = this.#ends[from] ?? 0;
  }

  #write(slot: number, priority: number, left: number, right: number, end: number): void {
    this.#priorities[slot] = priority;
    this.#lefts[slot] = left;
    this.#rights[slot] = right;
    this.#ends[slot] = end;
  }
}

function grownTo(capacity: number, values: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(capacity);
  grown.set(values);
  return grown;
}
