/**
 * When sequences are copied into the prefix cache and out of it: before another conversation takes one that is not
 * remembered, and while nothing runs. There is one copy at a time, and a slice of it between two steps.
 */
import { type Bytes, MiB, type Tokens } from "../../core/units.ts";
import type { Seating } from "../seating.ts";
import type { Session } from "../session.ts";
import type { Found } from "./page-tree.ts";
import type { Copy, PrefixCache } from "./prefix-cache.ts";

/**
 * Copied between two steps: 10 ms of a processor's memory, some 5 of a card's link. A step that reads a slice of a prompt
 * takes longer for every model whose copies are that large.
 */
const defaultSlice: Bytes = 64 * MiB;
/** Reading so few tokens again is as quick as bringing them back. */
const worthBringing: Tokens = 16;
const worthKeeping: Tokens = 32;

interface RunningCopy {
  readonly copy: Copy;
  /** Whether it gives way to whatever else there is to do. */
  readonly isIdle: boolean;
  readonly done: (tokens: Tokens) => void;
}

export class Remembering {
  readonly #session: Session;
  readonly #prefixes: PrefixCache;
  readonly #slice: Bytes;
  /** Sequences of which nothing was written since they were copied, in either direction. */
  readonly #remembered: boolean[] = [];
  #running: RunningCopy | undefined;

  constructor(session: Session, prefixes: PrefixCache, slice: Bytes = defaultSlice) {
    this.#session = session;
    this.#prefixes = prefixes;
    this.#slice = slice;
  }

  get isCopying(): boolean {
    return this.#running !== undefined;
  }

  get bytes(): Bytes {
    return this.#prefixes.bytes;
  }

  /** What is remembered of a prompt, where that is worth more than what `seating` finds in the sequences. */
  better(prompt: readonly number[], seating: Seating): Found | undefined {
    const found = this.#prefixes.find(prompt);
    return found.length >= seating.cached + worthBringing ? found : undefined;
  }

  /** Whether a sequence that keeps no more than its first `kept` tokens would forget what nobody else remembers. */
  forgets(sequence: number, kept: Tokens): boolean {
    const lost = this.#session.cache.length(sequence) - kept;
    return lost >= worthKeeping && this.#remembered[sequence] !== true;
  }

  /** `sequence` is written in from now on. */
  begin(sequence: number): void {
    this.#remembered[sequence] = false;
  }

  keep(sequence: number, isIdle: boolean, done: () => void = () => {}): void {
    const copy = this.#prefixes.keep(this.#session, sequence);
    this.#start(copy, isIdle, () => {
      this.#remembered[sequence] = true;
      done();
    });
  }

  /** `done` gets the tokens that the sequence goes on from. */
  bring(sequence: number, found: Found, done: (tokens: Tokens) => void): void {
    const copy = this.#prefixes.bring(this.#session, sequence, found);
    this.#start(copy, false, (tokens) => {
      this.#remembered[sequence] = true;
      done(tokens);
    });
  }

  /** Copies a slice. @throws what the device throws */
  async advance(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    for (let copied = 0; copied < this.#slice; ) {
      const { done, value } = await running.copy.next();
      if (done !== true) {
        copied += value;
        continue;
      }
      this.#running = undefined;
      running.done(value);
      return;
    }
  }

  /** Copies the rest. @throws what the device throws */
  async finish(): Promise<void> {
    while (this.isCopying) await this.advance();
  }

  /** A copy that nobody waits for is left; what it has copied so far is remembered. */
  giveWay(): void {
    if (this.#running?.isIdle === true) this.#running = undefined;
  }

  #start(copy: Copy, isIdle: boolean, done: (tokens: Tokens) => void): void {
    this.#running = { copy, isIdle, done };
  }
}
