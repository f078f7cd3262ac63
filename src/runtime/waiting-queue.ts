/**
 * Answers that wait for a sequence: in the order in which they came, those of a higher priority first. None is overtaken
 * for ever.
 */
import type { SequenceWork } from "./seat.ts";

interface Waiting {
  readonly generation: SequenceWork;
  /** How many that came later are before it. */
  overtakenBy: number;
}

/** An answer that so many have overtaken is overtaken no more: a low priority waits long, not for ever. */
export const mostOvertaken = 32;

export class WaitingQueue {
  readonly #waiting: Waiting[] = [];
  #hasChanged = false;

  get length(): number {
    return this.#waiting.length;
  }

  /** The next one; undefined where none waits. */
  get first(): SequenceWork | undefined {
    return this.#waiting[0]?.generation;
  }

  add(generation: SequenceWork): void {
    const { priority } = generation;
    let at = this.#waiting.length;
    for (; at > 0; at--) {
      const before = this.#waiting[at - 1];
      if (before === undefined || before.generation.priority >= priority) break;
      if (before.overtakenBy >= mostOvertaken) break;
    }
    this.#waiting.splice(at, 0, { generation, overtakenBy: 0 });
    for (const overtaken of this.#waiting.slice(at + 1)) overtaken.overtakenBy++;
    this.#hasChanged = true;
    // An answer that is aborted while it waits leaves at once: it counts for nobody's place.
    const leave = (): void => this.remove(generation);
    generation.result.then(leave, leave);
  }

  /** Does nothing for one that does not wait. */
  remove(generation: SequenceWork): void {
    const at = this.#waiting.findIndex((waiting) => waiting.generation === generation);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#hasChanged = true;
  }

  /** Empties it. */
  takeAll(): readonly SequenceWork[] {
    return this.#waiting.splice(0).map(({ generation }) => generation);
  }

  /** Tells each its place, where places have changed. */
  reportPlaces(): void {
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    for (const [place, { generation }] of [...this.#waiting].entries()) {
      if (generation.kind === "answer") generation.noteQueued(place + 1);
    }
  }
}
