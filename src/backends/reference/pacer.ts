/** Keeps long work from blocking the event loop: asks when to pause, and pauses for one macrotask. */

export interface Pacer {
  /** True when the loop has been held long enough that `pause` should be awaited now. */
  isDue(): boolean;
  pause(): Promise<void>;
}

/**
 * Milliseconds. The loop may be held for 20; a tile of rows of the bundled model that begins just before this limit
 * takes 2 to 5 more, and a busy machine may double both.
 */
const holdLimit = 5;

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
