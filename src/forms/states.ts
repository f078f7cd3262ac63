/**
 * What a text may go on with, as a state: a set of items, each with the state that follows when its body ends. Stacks
 * that end alike are one object (a graph-structured stack: Tomita 1987), so that an ambiguous grammar takes polynomial
 * time; states and the ways between them are remembered, so that most bytes cost one look-up.
 */
import { FormError } from "../core/errors.ts";
import { hasByte } from "./expression.ts";
import { byteClasses, endItem, itemKind, type Program } from "./program.ts";

export interface State {
  readonly id: number;
  /** Sorted; never the end item. */
  readonly items: readonly number[];
  /** Per item what follows its body. */
  readonly tails: readonly State[];
  /** Whether nothing more needs to come: the outermost body has ended. */
  readonly hasEnded: boolean;
  /** Whether the text may end here. */
  readonly isComplete: boolean;
  /** How many bodies are open. */
  readonly depth: number;
  /** Per class of bytes the state after one; undefined where that was never asked. */
  readonly next: (State | undefined)[];
}

const space = 0x20;
/** In place of the only byte of a state. */
const choiceOfBytes = -1;

/** Arrays in arrays that a text may open; a model's context ends before, and memory stays bounded. */
const maxDepth = 10_000;
/** Readings of a text that are followed side by side; a JSON schema of 1000 optional properties has 1000. */
const maxItemsInState = 4000;
/** Items that are looked at for one token or its mask: 0.3 s. The first mask of a JSON schema takes some 10,000. */
const maxWork = 1_000_000;
/** States in memory before all are forgotten and found again: some 30 MB. */
const maxStates = 20_000;

export class States {
  readonly program: Program;
  readonly classOf: Uint8Array;
  /** A byte of each class. */
  readonly firstOfClass: Uint8Array;
  /** From here no text goes on. */
  readonly dead: State;
  /** The outermost body has ended. */
  readonly ended: State;
  #known: Map<string, State> = new Map();
  #unions: Map<number, State> = new Map();
  readonly #only: WeakMap<State, number> = new WeakMap();
  #made = 0;
  #work = 0;

  constructor(program: Program) {
    this.program = program;
    const { classOf, first } = byteClasses(program);
    this.classOf = classOf;
    this.firstOfClass = first;
    this.dead = this.#make([], [], false);
    this.ended = this.#make([], [], true);
  }

  /** Before a body whose first item is `item`, which nothing follows. */
  before(item: number): State {
    return item === endItem ? this.ended : this.#intern(new Map([[item, this.ended]]), false);
  }

  get start(): State {
    return this.before(this.program.root);
  }

  /** After one more byte. */
  afterByte(state: State, byte: number): State {
    return this.after(state, this.classOf[byte] ?? 0);
  }

  /** After one more byte of a class. */
  after(state: State, byteClass: number): State {
    const known = state.next[byteClass];
    if (known !== undefined) return known;
    const found = this.#step(state, this.firstOfClass[byteClass] ?? 0);
    state.next[byteClass] = found;
    return found;
  }

  /** The one byte that may come next, or at a gap the one beside the space; undefined where there is a choice, or none. */
  onlyByte(state: State): number | undefined {
    const known = this.#only.get(state);
    if (known !== undefined) return known === choiceOfBytes ? undefined : known;
    const found = this.#findOnlyByte(state);
    this.#only.set(state, found ?? choiceOfBytes);
    return found;
  }

  /** Whether a space may come that says nothing. */
  isGap({ items }: State): boolean {
    const { gaps } = this.program;
    return items.length > 0 && items.every((item) => gaps.has(item));
  }

  #findOnlyByte(state: State): number | undefined {
    const [item = endItem] = state.items;
    const { items: table } = this.program;
    // Inside a text, as most are.
    if (state.items.length === 1 && table.kind(item) === itemKind.bytes) {
      return this.program.onlyByteOf(table.a(item));
    }
    const without = this.isGap(state) ? space : undefined;
    let only: number | undefined;
    for (let byte = 0; byte < 256; byte++) {
      if (byte === without || this.afterByte(state, byte) === this.dead) continue;
      if (only !== undefined) return undefined;
      only = byte;
    }
    return only;
  }

  /** Whether some byte may come next in both. */
  beginAlike(one: State, other: State): boolean {
    return this.firstOfClass.some(
      (_, c) => this.after(one, c) !== this.dead && this.after(other, c) !== this.dead,
    );
  }

  /** Forgets what can be found again, if it is much. States that are held stay good. */
  forgetIfMany(): boolean {
    if (this.#known.size < maxStates) return false;
    this.#known = new Map();
    this.#unions = new Map();
    return true;
  }

  /** Begins a new count of the work that may be done at once. */
  startWork(): void {
    this.#work = 0;
  }

  #step(state: State, byte: number): State {
    const { items, lists, sets, starts, counters } = this.program;
    const found = new Map<number, State>();
    let hasEnded = false;
    const work: [item: number, tail: State][] = [];
    const seen = new Set<number>();
    /** Rests of counted repeats whose body may be empty: they say nothing that the repeat itself does not. */
    const repeated = new Set<State>();
    const visit = (item: number, tail: State): void => {
      const key = item * 2 ** 26 + tail.id;
      if (seen.has(key)) return;
      this.#countWork();
      seen.add(key);
      work.push([item, tail]);
    };
    for (const [at, item] of state.items.entries()) visit(item, state.tails[at] ?? this.dead);
    for (let top = work.pop(); top !== undefined; top = work.pop()) {
      const [item, tail] = top;
      const first = items.a(item);
      const second = items.b(item);
      switch (items.kind(item)) {
        case itemKind.end:
          if (repeated.has(tail)) break;
          for (const [at, next] of tail.items.entries()) visit(next, tail.tails[at] ?? this.dead);
          break;
        case itemKind.bytes: {
          const set = sets[first];
          if (set !== undefined && hasByte(set, byte)) {
            hasEnded = this.#add(found, second, tail) || hasEnded;
          }
          break;
        }
        case itemKind.choice:
          for (const option of lists[first] ?? []) visit(option, tail);
          break;
        case itemKind.call:
          visit(starts[first] ?? 0, this.#push(second, tail));
          break;
        case itemKind.count: {
          const counter = counters[first];
          if (counter === undefined) break;
          if (second < counter.most) {
            const rest = this.#push(this.program.countItem(first, second + 1), tail);
            if (counter.isBodyNullable) repeated.add(rest);
            visit(counter.start, rest);
          }
          if (second >= counter.least) visit(counter.next, tail);
        }
      }
    }
    return this.#intern(found, hasEnded);
  }

  /** Adds an item to those of a state. Where a body ends, what follows it is added. True if the outermost one ended. */
  #add(items: Map<number, State>, item: number, tail: State): boolean {
    this.#countWork();
    if (item !== endItem) {
      const before = items.get(item);
      items.set(item, before === undefined ? tail : this.#union(before, tail));
      return false;
    }
    for (const [at, next] of tail.items.entries()) {
      this.#add(items, next, tail.tails[at] ?? this.dead);
    }
    return tail.hasEnded;
  }

  /** The stack that goes on with `next` and then with `tail`. */
  #push(next: number, tail: State): State {
    return next === endItem ? tail : this.#intern(new Map([[next, tail]]), false);
  }

  #union(one: State, other: State): State {
    if (one === other) return one;
    const [low, high] = one.id < other.id ? [one, other] : [other, one];
    const key = low.id * 2 ** 26 + high.id;
    const known = this.#unions.get(key);
    if (known !== undefined) return known;
    const items = new Map<number, State>();
    for (const state of [low, high]) {
      for (const [at, item] of state.items.entries()) {
        this.#add(items, item, state.tails[at] ?? this.dead);
      }
    }
    const union = this.#intern(items, one.hasEnded || other.hasEnded);
    this.#unions.set(key, union);
    return union;
  }

  #countWork(): void {
    if (++this.#work > maxWork) throw tooAmbiguous();
  }

  #intern(found: ReadonlyMap<number, State>, hasEnded: boolean): State {
    if (found.size === 0) return hasEnded ? this.ended : this.dead;
    if (found.size > maxItemsInState) throw tooAmbiguous();
    const items = [...found.keys()].sort((one, other) => one - other);
    let key = hasEnded ? "!" : "";
    for (const item of items) key += `${item}:${found.get(item)?.id},`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = this.#make(
      items,
      items.map((item) => found.get(item) ?? this.dead),
      hasEnded,
    );
    this.#known.set(key, made);
    return made;
  }

  #make(items: readonly number[], tails: readonly State[], hasEnded: boolean): State {
    const { items: table } = this.program;
    const depth = 1 + tails.reduce((most, tail) => Math.max(most, tail.depth), 0);
    if (depth > maxDepth) {
      throw new FormError("answer", `opens more than ${maxDepth} values`, "bound the form's depth");
    }
    const isComplete =
      hasEnded || items.some((item, at) => table.isNullable(item) && tails[at]?.isComplete);
    return { id: this.#made++, items, tails, hasEnded, isComplete, depth, next: [] };
  }
}

function tooAmbiguous(): FormError {
  return new FormError(
    "form",
    `has too many readings of the same text `,
    "write it with fewer ambiguous repeats",
  );
}
