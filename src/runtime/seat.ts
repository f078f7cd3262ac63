/** The place of one answer or embedding among those that run: which sequence it is written in, and what it wants of a step. */
import type { Milliseconds, Tokens } from "../core/units.ts";
import type { ActiveEmbedding } from "./embedding.ts";
import type { ActiveGeneration } from "./generation.ts";
import type { SequenceCache } from "./sequence-cache.ts";
import type { SeatView } from "./share-out.ts";

/** What a sequence is used for. */
export type SequenceWork = ActiveGeneration | ActiveEmbedding;

export class Seat implements SeatView {
  readonly generation: SequenceWork;
  readonly sequence: number;
  readonly since: Milliseconds = performance.now();
  /** Lengths at which the sequence is saved while it reads, rising. */
  savedAt: readonly Tokens[];
  readonly #cache: SequenceCache;

  constructor(
    generation: SequenceWork,
    at: {
      readonly sequence: number;
      readonly savedAt: readonly Tokens[];
      readonly cache: SequenceCache;
    },
  ) {
    this.generation = generation;
    this.sequence = at.sequence;
    this.savedAt = at.savedAt;
    this.#cache = at.cache;
  }

  get hasEnded(): boolean {
    return this.generation.isFinished;
  }

  get isAnswering(): boolean {
    return this.generation.isAnswering;
  }

  get pending(): Tokens {
    return this.hasEnded ? 0 : this.generation.pendingCount;
  }

  get readable(): Tokens {
    const [until = this.#cache.contextLength] = this.savedAt;
    return Math.min(this.pending, until - this.#cache.length(this.sequence));
  }

  get priority(): number {
    return this.generation.priority;
  }
}
