/**
 * Long work in short steps, so that a host program's event loop can go on in between. The work is a generator that
 * yields now and then; it is run at once or with pauses, and gives the same result.
 */
import { setImmediate } from "node:timers/promises";

export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Entries of a list that are handled between two steps: some 0.2 ms of map insertions. */
export const entriesPerStep = 512;

export function runAtOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Gives way to other work of this thread whenever `pauseAfter` milliseconds have passed. */
export async function runWithPauses<Result>(steps: Steps<Result>): Promise<Result> {
  let pausedAt = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - pausedAt < pauseAfter) continue;
    await setImmediate();
    pausedAt = performance.now();
  }
}

/** A host must never wait longer than 20 ms; a step and a garbage collection may come on top. */
const pauseAfter = 5;
