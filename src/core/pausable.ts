/**
 * Long work that can pause, so that a host program's event loop can go on in between. The work is a generator that
 * yields now and then; it is run at once or with pauses, and gives the same result.
 */
export type Pausable<Result> = Generator<undefined, Result, undefined>;

/** Entries of a list that are handled between two yields: some 0.2 ms of map insertions. */
export const entriesPerPause = 512;

export function runAtOnce<Result>(work: Pausable<Result>): Result {
  for (;;) {
    const turn = work.next();
    if (turn.done) return turn.value;
  }
}

/** Gives way to other work of this thread whenever `pauseAfter` milliseconds have passed. */
export async function runWithPauses<Result>(work: Pausable<Result>): Promise<Result> {
  let pausedAt = performance.now();
  for (;;) {
    const turn = work.next();
    if (turn.done) return turn.value;
    if (performance.now() - pausedAt < pauseAfter) continue;
    await nextTurn();
    pausedAt = performance.now();
  }
}

/** A host must never wait longer than 20 ms; a turn and a garbage collection may come on top. */
const pauseAfter = 5;

/** Browsers have no setImmediate. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve);
  });
}
