/**
 * Which tokens the cache holds for each sequence, and how far back each can go. The bytes belong to the executable; this
 * is the book that says which of them are valid, so that a prompt's common beginning is not computed again.
 */
import { counted } from "../core/counted.ts";
import { HearthError, LimitError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";
import { type KvShape, placesOf, restorableFrom } from "../ops/kv-shape.ts";
import { type HeldState, storedWhenWritten, type Written } from "../ops/state-parts.ts";
import { type Checkpoint, Checkpoints } from "./checkpoints.ts";

/** How much of a sequence can be gone on from. */
export interface Reach {
  readonly length: Tokens;
  /** The checkpoint that has to be brought back for it; absent where the layers still hold what is needed. */
  readonly slot?: number;
}

export class SequenceCache {
  readonly contextLength: Tokens;
  readonly #kv: KvShape;
  readonly #tokens: readonly Int32Array[];
  readonly #lengths: Int32Array;
  /** One more than the highest position that was stored since the sequence last began at 0, or at a checkpoint. */
  readonly #stored: Int32Array;
  readonly #checkpoints: Checkpoints;

  constructor(kv: KvShape) {
    const { sequences, contextLength } = kv;
    this.contextLength = contextLength;
    this.#kv = kv;
    this.#tokens = Array.from({ length: sequences }, () => new Int32Array(contextLength));
    this.#lengths = new Int32Array(sequences);
    this.#stored = new Int32Array(sequences);
    this.#checkpoints = new Checkpoints(placesOf(kv) - sequences);
  }

  get sequences(): number {
    return this.#tokens.length;
  }

  /** Slots for checkpoints, of all sequences together. */
  get checkpoints(): number {
    return this.#checkpoints.slots;
  }

  /** Tokens that the sequence's layers have read. */
  length(sequence: number): Tokens {
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
   * @throws HearthError where the layers cannot go back there by themselves: `keep` says how far the sequence can.
   */
  truncate(sequence: number, length: Tokens): void {
    const wanted = Math.min(this.length(sequence), Math.max(0, length));
    const reach = this.reach(sequence, wanted);
    if (reach.length < wanted || reach.slot !== undefined) {
      throw new HearthError(
        `sequence ${sequence} holds ${counted(this.length(sequence), "token")} and cannot be cut to ${wanted}: the states of its layers do not go back`,
      );
    }
    this.#cut(sequence, reach);
  }

  /** Forgets all but the first `length` tokens, or more where the sequence cannot go on from there. */
  keep(sequence: number, length: Tokens): Reach {
    const reach = this.reach(sequence, length);
    this.#cut(sequence, reach);
    return reach;
  }

  /** How many of the first `length` tokens can be gone on from, in this sequence or a copy of it. */
  reach(sequence: number, length: Tokens): Reach {
    const held = this.length(sequence);
    if (length >= held) return { length: held };
    const wanted = Math.max(0, length);
    if (wanted >= restorableFrom(this.#kv, this.#stored[sequence] ?? 0)) return { length: wanted };
    const saved = this.#checkpoints.longest(sequence, wanted);
    return saved === undefined ? { length: 0 } : { length: saved.length, slot: saved.slot };
  }

  /**
   * `to` holds the first `length` tokens of `from`, or fewer where that cannot be gone on from, and nothing else.
   * `from` stays as it is.
   */
  copy(from: number, to: number, length: Tokens): Reach {
    const reach = this.reach(from, length);
    if (from === to) return reach;
    const stored = this.#storedAt(from, reach);
    this.#cut(to, { length: 0 });
    this.#row(to).set(this.tokens(from).subarray(0, reach.length));
    this.#lengths[to] = reach.length;
    this.#stored[to] = reach.length === 0 ? 0 : stored;
    this.#checkpoints.share(from, to, reach.length);
    return reach;
  }

  /** The slot for a checkpoint of the sequence as it stands; undefined where none is wanted. */
  save(sequence: number): number | undefined {
    const stored = this.#stored[sequence] ?? 0;
    return this.#checkpoints.add(sequence, { length: this.length(sequence), stored });
  }

  /** The checkpoints of a sequence, rising by length. */
  checkpointsOf(sequence: number): readonly Checkpoint[] {
    return this.#checkpoints.of(sequence);
  }

  /**
   * The sequence holds these tokens and nothing else, of which `stateParts` are written to it and to checkpoints behind
   * these lengths. Returns the slots of those, by length; fewer where there are fewer slots.
   * @throws LimitError where the context is too short.
   */
  adopt(
    sequence: number,
    { tokens, checkpoints }: HeldState,
    written: Written = "parts",
  ): ReadonlyMap<Tokens, number> {
    if (tokens.length > this.contextLength) {
      throw new LimitError(
        `${counted(tokens.length, "token")} do not fit a context of ${this.contextLength}; raise the context`,
      );
    }
    this.#cut(sequence, { length: 0 });
    this.#row(sequence).set(tokens);
    this.#lengths[sequence] = tokens.length;
    this.#stored[sequence] = storedWhenWritten(this.#kv, tokens.length, written);
    const slots = new Map<Tokens, number>();
    for (const length of checkpoints) {
      const stored = storedWhenWritten(this.#kv, length, written);
      const slot = this.#checkpoints.add(sequence, { length, stored });
      if (slot !== undefined) slots.set(length, slot);
    }
    return slots;
  }

  /** How many tokens at the beginning of `prompt` the sequence already holds. */
  commonPrefix(sequence: number, prompt: ArrayLike<number>): Tokens {
    const held = this.tokens(sequence);
    const limit = Math.min(held.length, prompt.length);
    let shared = 0;
    while (shared < limit && held[shared] === prompt[shared]) shared++;
    return shared;
  }

  #cut(sequence: number, reach: Reach): void {
    const stored = this.#storedAt(sequence, reach);
    this.#lengths[sequence] = reach.length;
    this.#stored[sequence] = reach.length === 0 ? 0 : stored;
    this.#checkpoints.cut(sequence, reach.length);
  }

  #storedAt(sequence: number, { length, slot }: Reach): number {
    const saved = slot === undefined ? undefined : this.#checkpoints.longest(sequence, length);
    return saved?.stored ?? this.#stored[sequence] ?? 0;
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
