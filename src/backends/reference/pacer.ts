/** Keeps long work from blocking the event loop: asks when to pause, and pauses for one macrotask. */

export interface Pacer {
  /** True when the loop has been held long enough that `pause` should be awaited now. */
  isDue(): boolean;
  pause(): Promise<void>;
}

/** The loop may be held for 20 ms; a piece of work that begins just before this limit may take the other half. */
const holdLimit = 10;

export function createPacer(): Pacer {
  let since = performance.now();
  return {
    isDue: () => performance.now() - since > holdLimit,
    pause: () =>
      new Promise((resolve) => {
        setImmediate(() => {
          since = performance.now();
          resolve();
        });
      }),
  };
}
