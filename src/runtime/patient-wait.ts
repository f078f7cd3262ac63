/**
 * Waits for a device without taking a core from it. While a GPU promise is open the WebGPU library polls at every turn
 * of the event loop, so a thread that waits is a thread that computes: where all cores have work, it delays the devices
 * it waits for. Short waits poll on (nothing is sooner); in longer ones the thread sleeps between two turns.
 */
import type { Milliseconds } from "../core/units.ts";

/** A card answers within this; what takes longer may take a tenth of a millisecond more. */
const impatient: Milliseconds = 0.5;
/** The system's timers add about as much. */
const nap: Milliseconds = 0.05;

const neverNotified = new Int32Array(new SharedArrayBuffer(4));

export async function waitPatiently(done: Promise<void>): Promise<void> {
  const start = performance.now();
  let isOver = false;
  const turn = (): void => {
    if (isOver) return;
    if (performance.now() - start > impatient) Atomics.wait(neverNotified, 0, 0, nap);
    setImmediate(turn);
  };
  setImmediate(turn);
  try {
    await done;
  } finally {
    isOver = true;
  }
}
