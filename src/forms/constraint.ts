/** One answer's way through a form, token by token: the side of a form that the sampler asks (TokenConstraint). */
import type { Masks } from "./masks.ts";
import type { State, States } from "./states.ts";

export interface ConstraintUse {
  /** Asked for when the first token is chosen. */
  readonly masks: () => Masks;
  /** Ids that end the answer. They may come where it is complete. */
  readonly endTokens: Iterable<number>;
  /** Whether the first token of the answer loses a space that it begins with (SentencePiece after a special token). */
  readonly dropsFirstSpace: () => boolean;
}

const space = 0x20;

export class FormConstraint {
  readonly #use: ConstraintUse;
  readonly #states: States;
  readonly #ends: readonly number[];
  /** The state before each token, and the last one. */
  readonly #history: State[];

  constructor(states: States, use: ConstraintUse) {
    this.#use = use;
    this.#states = states;
    this.#ends = [...use.endTokens];
    this.#history = [this.#states.start];
  }

  /** Sets the bit of each token that may come next and clears the others; end tokens are among the first where it is complete. */
  mask(into: Uint32Array): void {
    const masks = this.#use.masks();
    into.set(this.#dropsSpace ? masks.withoutFirstSpace(this.#state) : masks.of(this.#state));
    into.fill(0, masks.words);
    for (const id of this.#ends) {
      const bit = 1 << (id & 31);
      const word = into[id >> 5] ?? 0;
      into[id >> 5] = this.isComplete ? word | bit : word & ~bit;
    }
  }

  /** Goes on by a token. False, and nothing is changed, where it may not come next. */
  accept(token: number): boolean {
    const { trie } = this.#use.masks();
    if (!trie.has(token)) return false;
    const bytes = trie.bytesOf(token);
    const start = this.#dropsSpace && bytes[0] === space ? 1 : 0;
    if (start === bytes.length) return false;
    this.#states.startWork();
    let state = this.#state;
    for (let at = start; at < bytes.length; at++) {
      state = this.#states.afterByte(state, bytes[at] ?? 0);
      if (state === this.#states.dead) return false;
    }
    this.#history.push(state);
    return true;
  }

  /** Takes back the last `tokens` accepted ones. */
  rollback(tokens: number): void {
    this.#history.length = Math.max(1, this.#history.length - tokens);
  }

  /** Whether the answer may end here. */
  get isComplete(): boolean {
    return this.#state.isComplete;
  }

  /** Whether it must end here. */
  get isDone(): boolean {
    return this.#state.isComplete && this.#state.items.length === 0;
  }

  /** The bytes that must come next, whatever is chosen; none where the answer may end, or at most `most`. */
  forced(most: number): Uint8Array {
    const bytes: number[] = [];
    let state = this.#state;
    while (bytes.length < most && !state.isComplete) {
      const byte = this.#states.onlyByte(state);
      if (byte === undefined) break;
      bytes.push(byte);
      state = this.#states.afterByte(state, byte);
    }
    return Uint8Array.from(bytes);
  }

  get #state(): State {
    return this.#history.at(-1) ?? this.#states.dead;
  }

  get #dropsSpace(): boolean {
    return this.#history.length === 1 && this.#use.dropsFirstSpace();
  }
}
