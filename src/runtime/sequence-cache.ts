/**
 * Which tokens the KV cache holds for each sequence. The bytes belong to the executable; this is the book
 * that says which positions of it are valid, so that a prompt's common beginning is not computed again.
 */
import { counted } from "../core/counted.ts";
import { HearthError, LimitError } from "../core/errors.ts";

export class SequenceCache {
  readonly contextLength: number;
  /** Whether a sequence can be cut back to any length: not where a layer's state is replaced token by token. */
  readonly canGoBack: boolean;
  readonly #restorableFrom: (stored: number) => number;
  readonly #tokens: readonly Int32Array[];
  readonly #lengths: Int32Array;
  /** Of each sequence: how many of its tokens a saved state stands behind; 0: none is saved. */
  readonly #saved: Int32Array;
  /** One more than the highest position that was stored since the sequence last began at 0. */
  readonly #stored: Int32Array;

  /**
   * `restorableFrom`: of layers that hold positions, the shortest length but 0 to which a sequence can go back
   * (ops/kv-shape.ts). Default: any.
   */
  constructor(
    sequences: number,
    contextLength: number,
    canGoBack = true,
    restorableFrom: (stored: number) => number = () => 0,
  ) {
    this.contextLength = contextLength;
    this.canGoBack = canGoBack;
    this.#restorableFrom = restorableFrom;
    this.#tokens = Array.from({ length: sequences }, () => new Int32Array(contextLength));
    this.#lengths = new Int32Array(sequences);
    this.#saved = new Int32Array(sequences);
    this.#stored = new Int32Array(sequences);
  }

  get sequences(): number {
    return this.#tokens.length;
  }

  /** Tokens whose keys and values the sequence holds. */
  length(sequence: number): number {
    return this.#lengths[sequence] ?? 0;
  }

  tokens(sequence: number): Int32Array {
    return this.#row(sequence).subarray(0, this.length(sequence));
  }

  /** Appends a token and returns its position. @throws LimitError when the context is full. */
  append(sequence: number, token: number): number {
    const position = this.length(sequence);
    if (position >= this.contextLength) {
      throw new LimitError(
        `sequence ${sequence} is full: ${counted(position, "token")} of a context of ${this.contextLength}; raise the context or shorten the prompt`,
      );
    }
    this.#row(sequence)[position] = token;
    this.#lengths[sequence] = position + 1;
    this.#stored[sequence] = Math.max(this.#stored[sequence] ?? 0, position + 1);
    return position;
  }

  /**
   * Forgets everything from position `length` on.
   * @throws HearthError where the sequence cannot go back there: `keep` says how far it can.
   */
  truncate(sequence: number, length: number): void {
    const wanted = Math.min(this.length(sequence), Math.max(0, length));
    if (this.keepable(sequence, wanted) < wanted) {
      throw new HearthError(
        `sequence ${sequence} holds ${counted(this.length(sequence), "token")} and cannot be cut to ${wanted}: the states of its layers do not go back`,
      );
    }
    this.#lengths[sequence] = wanted;
    if (wanted === 0) this.#stored[sequence] = 0;
    if (wanted < this.saved(sequence)) this.#saved[sequence] = 0;
  }

  /** The states of the sequence were saved behind all that it holds: it can go back there. */
  noteSaved(sequence: number): void {
    this.#saved[sequence] = this.length(sequence);
  }

  saved(sequence: number): number {
    return this.#saved[sequence] ?? 0;
  }

  /** Truncates to `length`, or to less where a sequence cannot go back there. Returns how many tokens it still holds. */
  keep(sequence: number, length: number): number {
    this.truncate(sequence, this.keepable(sequence, length));
    return this.length(sequence);
  }

  /** How many of the first `length` tokens can be kept when the rest is forgotten. */
  keepable(sequence: number, length: number): number {
    const held = this.length(sequence);
    if (length >= held) return held;
    const saved = this.saved(sequence);
    const kept = this.canGoBack ? Math.max(0, length) : saved <= length ? saved : 0;
    return kept >= this.#restorableFrom(this.#stored[sequence] ?? 0) ? kept : 0;
  }

  /**
   * `to` holds the first `length` tokens of `from`, and nothing else.
   * @throws HearthError where layers of `from` no longer hold what a token behind them sees.
   */
  copy(from: number, to: number, length: number): void {
    const count = Math.min(length, this.length(from));
    const least = this.#restorableFrom(this.#stored[from] ?? 0);
    if (count > 0 && count < least) {
      throw new HearthError(
        `${counted(count, "token")} of sequence ${from} cannot be copied: its layers with a window can go on from ${least} at the earliest; copy more, or read them anew`,
      );
    }
    this.#row(to).set(this.tokens(from).subarray(0, count));
    this.#lengths[to] = count;
    this.#saved[to] = 0;
    this.#stored[to] = count === 0 ? 0 : (this.#stored[from] ?? 0);
  }

  /** How many tokens at the beginning of `prompt` the sequence already holds. */
  commonPrefix(sequence: number, prompt: ArrayLike<number>): number {
    const held = this.tokens(sequence);
    const limit = Math.min(held.length, prompt.length);
    let shared = 0;
    while (shared < limit && held[shared] === prompt[shared]) shared++;
    return shared;
  }

  #row(sequence: number): Int32Array {
    const row = this.#tokens[sequence];
    if (row === undefined) {
      throw new LimitError(
        `no sequence ${sequence}: this session was opened with ${counted(this.sequences, "sequence")}`,
      );
    }
    return row;
  }
}
