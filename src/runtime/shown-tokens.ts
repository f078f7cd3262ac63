/**
 * Tokens of an answer whose computation somebody looks at: which neurons, or experts, were computed for each, what was read,
 * and when the devices worked. Without a looker nothing of it is done; with one, it takes no more than a share of the time.
 */
import type { FfnCounts, ShownRow } from "../backends/backend.ts";
import type { TimelineEvent } from "../backends/executable-report.ts";
import { callCaller } from "../core/call-caller.ts";
import type { Bytes, Milliseconds, Tokens } from "../core/units.ts";
import { blockKey } from "../ops/block-ref.ts";
import type { Seat } from "./seat.ts";

/** One step, as the session saw it. */
export interface ShownStep extends ShownRow {
  readonly rows: number;
  readonly startedAt: Milliseconds;
  readonly endedAt: Milliseconds;
  /** Of all rows of the step. */
  readonly counts: readonly FfnCounts[];
  readonly tookToShow: Milliseconds;
}

/** What one layer did in the step; a layer may have a block beside its experts. */
export interface ShownLayer {
  readonly layer: number;
  readonly ofExperts: boolean;
  /**
   * Ids of the neurons, or experts, that the token was computed with, rising; on two devices those on the CPU, for a card
   * counts no single ones. Absent where all are computed, or none counted.
   */
  readonly active?: Uint32Array;
  /** Neurons computed, on all devices: of the step's rows on average. */
  readonly activeCount: number;
  /** Weight bytes that the step read for its rows together. */
  readonly bytesTouched: Bytes;
  /** Absent where the device times no single blocks. */
  readonly time?: Milliseconds;
  readonly predictorTime?: Milliseconds;
}

/** How a token of an answer came to be. The first one comes of reading the prompt, and is not shown. */
export interface ShownToken {
  readonly token: number;
  /** In the answer, from 1. */
  readonly index: number;
  /** Tokens before it that were not shown, since the last one: the first of the answer, and where showing had taken its share of the time. */
  readonly skipped: readonly number[];
  /** Rows of the step: more than 1 where other answers, or prompts, were computed beside it. */
  readonly rows: number;
  readonly layers: readonly ShownLayer[];
  /** Of two devices, in milliseconds from the step's beginning; empty for one. */
  readonly timeline: readonly TimelineEvent[];
  readonly stepTime: Milliseconds;
  /** What showing the tokens so far has taken: gathering, and the caller's own work. */
  readonly showingTime: Milliseconds;
}

export class ShownTokens {
  readonly #onToken: (token: ShownToken) => void;
  readonly #timeShare: number;
  #step: ShownStep | undefined;
  #startedAt: Milliseconds | undefined;
  #showingTime: Milliseconds = 0;
  #skipped: number[] = [];
  /** When it was shown last: of several answers, the one comes that waits longest. */
  shownAt: Milliseconds = 0;

  /** `timeShare`: of the time of writing, 0 to 1, showing takes at most this; with 1 every token is shown. */
  constructor(onToken: (token: ShownToken) => void, timeShare: number) {
    this.#onToken = onToken;
    this.#timeShare = timeShare;
  }

  get isDue(): boolean {
    if (this.#timeShare >= 1) return true;
    this.#startedAt ??= performance.now();
    const passed = performance.now() - this.#startedAt;
    return this.#showingTime <= this.#timeShare * passed;
  }

  /** The step that computed the next token. */
  note(step: ShownStep): void {
    this.#step = step;
    this.shownAt = step.endedAt;
    this.#showingTime += step.tookToShow;
  }

  /** The token that the answer goes on with. What the looker throws ends that answer. */
  publish(token: number, index: Tokens, answer: { fail(error: unknown): void }): void {
    const step = this.#step;
    if (step === undefined) {
      this.#skipped.push(token);
      return;
    }
    this.#step = undefined;
    const skipped = this.#skipped;
    this.#skipped = [];
    const startedAt = performance.now();
    const shown: ShownToken = {
      token,
      index,
      skipped,
      rows: step.rows,
      layers: layersOf(step),
      timeline: step.timeline.map((event) => fromStart(event, step.startedAt)),
      stepTime: step.endedAt - step.startedAt,
      showingTime: this.#showingTime,
    };
    callCaller(
      () => this.#onToken(shown),
      (error) => answer.fail(error),
    );
    this.#showingTime += performance.now() - startedAt;
  }
}

/** Whose token the next step is to show. */
export function nextShown(seats: readonly Seat[]): Seat | undefined {
  let next: Seat | undefined;
  for (const seat of seats) {
    const { shown } = seat;
    if (shown === undefined || !seat.isAnswering || !shown.isDue) continue;
    if (next?.shown === undefined || shown.shownAt < next.shown.shownAt) next = seat;
  }
  return next;
}

function layersOf({ counts, sets }: ShownStep): readonly ShownLayer[] {
  return counts.map((count): ShownLayer => {
    const { layer, rows, active, bytesTouched, time, predictorTime } = count;
    const set = sets.find((one) => blockKey(one) === blockKey(count));
    return {
      layer,
      ofExperts: count.ofExperts === true,
      ...(set !== undefined && { active: set.ids }),
      activeCount: rows === 0 ? 0 : active / rows,
      bytesTouched,
      ...(time !== undefined && { time }),
      ...(predictorTime !== undefined && { predictorTime }),
    };
  });
}

function fromStart(event: TimelineEvent, start: Milliseconds): TimelineEvent {
  return { ...event, start: event.start - start, end: event.end - start };
}
