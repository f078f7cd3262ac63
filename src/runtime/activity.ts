/** How busy the scheduler is, and what that means for whoever comes next. */
import type { Bytes, Milliseconds } from "../core/units.ts";

export interface Activity {
  /** Answers whose prompts are read or that are being written. */
  readonly running: number;
  readonly waiting: number;
  /**
   * What an answer that is asked for now may wait until its turn, reckoned from how long the last ones ran; 0 where a
   * sequence is free, undefined before the first one has ended.
   */
  readonly expectedWait: Milliseconds | undefined;
  /** Memory that conversations take which left their sequences; at most `cacheRam`. */
  readonly rememberedBytes: Bytes;
}

/** How far an answer's time moves the mean of those before: the last ten or so count. */
const newestWeight = 0.1;

/** How long answers have their sequences. */
export class TurnTimes {
  /** Of the last answers. */
  #mean: Milliseconds | undefined;

  note(took: Milliseconds): void {
    this.#mean ??= took;
    this.#mean += newestWeight * (took - this.#mean);
  }

  /** Until so many answers that are `before` have been given one of `sequences`, all of which are taken. */
  expectedWait(before: number, sequences: number): Milliseconds | undefined {
    if (before <= 0) return 0;
    return this.#mean === undefined ? undefined : (this.#mean * before) / sequences;
  }
}
