/** One answer's way through a form, token by token: the side of a form that the sampler asks (TokenConstraint). */
import { encodeStretch } from "./forced-stretch.ts";
import type { Masks } from "./masks.ts";
import type { State, States } from "./states.ts";

export interface ConstraintUse {
  /** Asked for when the first token is chosen. */
  readonly masks: () => Masks;
  /** Ids that end the answer. They may come where it is complete. */
  readonly endTokens: Iterable<number>;
  /**
   * Whether the token behind this one loses a space that it begins with (SentencePiece after a special token); undefined:
   * the first of the answer.
   */
  readonly dropsSpaceAfter: (token: number | undefined) => boolean;
  /** The tokenizer's tokens of a text. */
  readonly encode: (text: string) => readonly number[];
}

const space = 0x20;
/** Bytes of a stretch that are written at once. */
const maxStretch = 4096;
const noTokens: readonly number[] = [];

export class FormConstraint {
  readonly #use: ConstraintUse;
  readonly #states: States;
  readonly #ends: readonly number[];
  readonly #tokens: number[] = [];
  /** The state before each token, and the last one. */
  readonly #history: State[];
  /** As #history: the last byte at a place where a space may come that says nothing; undefined before the first. */
  readonly #gaps: (number | undefined)[] = [undefined];

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
    let gap = this.#gaps.at(-1);
    for (let at = start; at < bytes.length; at++) {
      if (this.#states.isGap(state)) gap = bytes[at];
      state = this.#states.afterByte(state, bytes[at] ?? 0);
      if (state === this.#states.dead) return false;
    }
    this.#history.push(state);
    this.#gaps.push(gap);
    this.#tokens.push(token);
    return true;
  }

  /** Takes back the last `tokens` accepted ones. */
  rollback(tokens: number): void {
    const left = Math.max(0, this.#tokens.length - tokens);
    this.#tokens.length = left;
    this.#history.length = left + 1;
    this.#gaps.length = left + 1;
  }

  /** Whether the answer may end here. */
  get isComplete(): boolean {
    return this.#state.isComplete;
  }

  /** Whether it must end here. */
  get isDone(): boolean {
    return this.#state.isComplete && this.#state.items.length === 0;
  }

  /**
   * The tokens of the stretch that must come next, as the tokenizer writes it: none where there is a choice. A token at its
   * end that might be a longer one with what follows is left to be chosen.
   */
  forced(): readonly number[] {
    if (this.#states.onlyByte(this.#state) === undefined || this.#dropsSpace) return noTokens;
    this.#states.startWork();
    const { bytes, after } = this.#forcedBytes();
    const masks = this.#use.masks();
    const tokens = encodeStretch(bytes, { ...this.#use, trie: masks.trie, before: this.#tokens });
    let begin = 0;
    let kept = 0;
    const end = masks.extensibleFrom(bytes, after);
    for (; kept < tokens.length; kept++) {
      begin += masks.trie.bytesOf(tokens[kept] ?? 0).length;
      if (begin > end) break;
    }
    return tokens.slice(0, kept);
  }

  /** The bytes that must come next; at gaps, a space or none as at the last one. `after`: the state behind them. */
  #forcedBytes(): { readonly bytes: Uint8Array; readonly after: State } {
    const bytes: number[] = [];
    let after = this.#state;
    const gapByte = this.#gaps.at(-1);
    while (bytes.length < maxStretch && !after.isComplete) {
      const isGap = this.#states.isGap(after);
      if (isGap && gapByte === undefined) break;
      const byte = isGap && gapByte === space ? space : this.#states.onlyByte(after);
      if (byte === undefined) break;
      bytes.push(byte);
      after = this.#states.afterByte(after, byte);
    }
    return { bytes: Uint8Array.from(bytes), after };
  }

  get #state(): State {
    return this.#history.at(-1) ?? this.#states.dead;
  }

  get #dropsSpace(): boolean {
    return this.#use.dropsSpaceAfter(this.#tokens.at(-1));
  }
}
