/**
 * Waits for a device without taking a core from it. While a GPU promise is open the WebGPU library polls at every turn
 * of the event loop, so a thread that waits is a thread that computes: where all cores have work, it delays the devices
 * it waits for. A wait that was long the last time begins with sleep; then the thread polls (nothing is sooner), and
 * in waits that outlast it, it sleeps between two turns.
 */
import type { Milliseconds } from "../../core/units.ts";

/** Waits of one kind, such as that for the cold neurons of layer 3: each is expected to last as long as the one before. */
export interface Patience {
  expected: Milliseconds;
}

/** Most of the time that the wait is expected to last is slept; devices vary by about the rest. */
const sleptShare = 0.75;
/** The system's timers add about this to a sleep: shorter ones are not worth it. */
const timerSlack: Milliseconds = 0.1;
/** No sleep is longer: the thread has other messages. */
const maxSleep: Milliseconds = 1;
/** While a timeline is kept: what ends during a sleep is noticed when it is over. */
export const exactSleep: Milliseconds = 0.15;
/** What outlasts its sleep by this may take a tenth of a millisecond more. */
const impatient: Milliseconds = 0.5;
const nap: Milliseconds = 0.05;

const neverNotified = new Int32Array(new SharedArrayBuffer(4));

export function createPatience(): Patience {
  return { expected: 0 };
}

export async function waitPatiently(
  done: Promise<void>,
  patience: Patience = createPatience(),
  longest: Milliseconds = maxSleep,
): Promise<void> {
  const start = performance.now();
  const slept = patience.expected * sleptShare;
  let isOver = false;
  const turn = (): void => {
    if (isOver) return;
    const sleep = sleepAt(performance.now() - start, slept);
    if (sleep > 0) Atomics.wait(neverNotified, 0, 0, Math.min(sleep, longest));
    setImmediate(turn);
  };
  setImmediate(turn);
  try {
    await done;
  } finally {
    isOver = true;
    patience.expected = performance.now() - start;
  }
}

/** How long to sleep now in a wait that began `waited` ago, of which `slept` are to be slept first; 0: look again at once. */
export function sleepAt(waited: Milliseconds, slept: Milliseconds): Milliseconds {
  const rest = slept - waited;
  if (rest > 2 * timerSlack) return rest - timerSlack;
  return waited > slept + impatient ? nap : 0;
}
