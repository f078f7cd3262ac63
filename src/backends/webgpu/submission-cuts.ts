/**
 * Where the calls of a step are cut into submissions: the card computes the first while the host still records the later
 * ones, and no submission takes so long that a driver ends it.
 */

import type { Bytes } from "../../core/units.ts";
import { GiB, MiB } from "../../core/units.ts";

export interface CutSizes {
  /** Work that a submission has at least. */
  readonly smallest: Bytes;
  /** Work that a submission has at most, unless a single call has more. */
  readonly largest: Bytes;
}

/**
 * Smallest: a submission costs the host 20 to 40 µs; a card of 1 TB/s reads 64 MiB in 67 µs, so it never waits for the
 * next one. Largest: Windows resets a card that works on one submission for 2 s. A slow one (16 GB/s, 0.1 T multiply-adds
 * a second) needs 0.5 to 0.7 s for 8 GiB, a fast one 8 ms, hundreds of times what the submission costs.
 */
const defaultCuts: CutSizes = { smallest: 64 * MiB, largest: 8 * GiB };

/**
 * Submissions of a step that has no more work than these may hold. The card waits for the first alone: an eighth
 * of the time that recording a step takes.
 */
const pieces = 8;

/** Reused from step to step: a step allocates nothing. */
export class SubmissionCuts {
  readonly #sizes: CutSizes;
  #target: Bytes = 0;
  #recorded: Bytes = 0;
  #left: Bytes = 0;

  constructor(sizes: CutSizes = defaultCuts) {
    this.#sizes = sizes;
  }

  /** `work`: of all calls of the step. */
  begin(work: Bytes): void {
    const { smallest, largest } = this.#sizes;
    this.#target = Math.min(largest, Math.max(smallest, work / pieces));
    this.#recorded = 0;
    this.#left = work;
  }

  /** Whether what was recorded so far is submitted before a call with so much work is recorded. */
  isBefore(work: Bytes): boolean {
    const { smallest, largest } = this.#sizes;
    const isFull = this.#recorded >= this.#target && this.#left >= smallest;
    const isCut = isFull || (this.#recorded > 0 && this.#recorded + work > largest);
    this.#recorded = isCut ? work : this.#recorded + work;
    this.#left -= work;
    return isCut;
  }
}
