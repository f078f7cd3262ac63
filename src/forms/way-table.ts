/**
 * The ways between states as one table of numbers: a walk over a whole vocabulary takes some nanoseconds a node with it,
 * and five times as long by the states' own lists.
 */
import type { State, States } from "./states.ts";

/** The row of the state from which no text goes on. */
export const deadRow = 0;
export const unknownWay = -1;

/** Numbers in the table before it is begun anew: 16 MB. A string's states have some hundreds of them. */
const maxNumbers = 1 << 22;

export class WayTable {
  readonly #states: States;
  /** A row has 2^shift places: one for each class of bytes, and some that are never used. */
  readonly #shift: number;
  #rows: Map<State, number> = new Map();
  #rowStates: State[] = [];
  #next: Int32Array = new Int32Array(0);
  /** Per row number whether its state is complete. */
  #complete: Uint8Array = new Uint8Array(0);

  constructor(states: States) {
    this.#states = states;
    this.#shift = Math.ceil(Math.log2(Math.max(2, states.firstOfClass.length)));
    this.forget();
  }

  /** At row + class: the row after a byte of that class, or `unknownWay`. Another array after `rowOf` and `find`. */
  get next(): Int32Array {
    return this.#next;
  }

  /** Forgets all rows, if they are many. Not to be called during a walk. */
  forgetIfMany(): void {
    if (this.#rowStates.length << this.#shift > maxNumbers) this.forget();
  }

  forget(): void {
    this.#rows = new Map();
    this.#rowStates = [];
    this.#next = new Int32Array(64 << this.#shift);
    this.#complete = new Uint8Array(64);
    this.rowOf(this.#states.dead);
  }

  rowOf(state: State): number {
    const known = this.#rows.get(state);
    if (known !== undefined) return known;
    const row = this.#rowStates.length << this.#shift;
    const end = row + (1 << this.#shift);
    if (end > this.#next.length) {
      const larger = new Int32Array(2 * this.#next.length);
      larger.set(this.#next);
      this.#next = larger;
      const flags = new Uint8Array(2 * this.#complete.length);
      flags.set(this.#complete);
      this.#complete = flags;
    }
    this.#next.fill(state === this.#states.dead ? deadRow : unknownWay, row, end);
    this.#complete[this.#rowStates.length] = state.isComplete ? 1 : 0;
    this.#rowStates.push(state);
    this.#rows.set(state, row);
    return row;
  }

  /** Whether a text may end there. */
  isComplete(row: number): boolean {
    return this.#complete[row >> this.#shift] === 1;
  }

  /** The row behind a way that is unknown, which is known from then on. */
  find(row: number, byteClass: number): number {
    const from = this.#rowStates[row >> this.#shift] ?? this.#states.dead;
    const after = this.rowOf(this.#states.after(from, byteClass));
    this.#next[row + byteClass] = after;
    return after;
  }
}
