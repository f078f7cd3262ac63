/** The place of one answer or embedding among those that run: which sequence it is written in, and what it wants of a step. */
import type { Milliseconds, Tokens } from "../core/units.ts";
import type { ActiveEmbedding } from "./embedding.ts";
import type { ActiveGeneration } from "./generation.ts";
import type { SequenceCache } from "./sequence-cache.ts";
import type { SeatView } from "./share-out.ts";
import type { ShownTokens } from "./shown-tokens.ts";
import type { Output } from "./step-outputs.ts";

/** What a sequence is used for. */
export type SequenceWork = ActiveGeneration | ActiveEmbedding;

export class Seat implements SeatView {
  readonly generation: SequenceWork;
  readonly sequence: number;
  /** How many seats were given before. */
  readonly number: number;
  /** Tokens of its prompt that no sequence held. */
  readonly toRead: Tokens;
  readonly since: Milliseconds = performance.now();
  /** Lengths at which the sequence is saved while it reads, rising. */
  savedAt: readonly Tokens[];
  /** What its answer begins with, where it does not begin yet. */
  kept: Output | undefined;
  readonly #cache: SequenceCache;

  constructor(
    generation: SequenceWork,
    at: {
      readonly sequence: number;
      readonly number: number;
      readonly savedAt: readonly Tokens[];
      readonly cache: SequenceCache;
    },
  ) {
    this.generation = generation;
    this.sequence = at.sequence;
    this.number = at.number;
    this.toRead = generation.pendingCount;
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

  /** Where somebody looks at its answer. */
  get shown(): ShownTokens | undefined {
    return this.generation.kind === "answer" ? this.generation.settings.shown : undefined;
  }

  get priority(): number {
    return this.generation.priority;
  }
}
