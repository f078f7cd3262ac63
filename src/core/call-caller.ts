/**
 * Calls a function that a caller of hearth handed over. What it throws is the caller's trouble and must not end the work
 * of others; an async function that rejects must not end the process.
 */

/** `fail` gets what `work` throws, or what its promise rejects with. */
export function callCaller(work: () => unknown, fail: (error: unknown) => void): void {
  try {
    const result = work();
    if (result instanceof Promise) result.catch(fail);
  } catch (error) {
    fail(error);
  }
}
