/**
 * A process must not end while a device's thread is inside a call of the WebGPU library: Node ends the thread there, and
 * the library aborts the process. So an exit waits until each thread has closed its device.
 * Module-level state: a process has one end.
 */
import type { Milliseconds } from "../../core/units.ts";

/** A thread that closes its device when asked. */
export interface EndingThread {
  /** Becomes 1, with a notification, when the device is closed. */
  readonly closed: Int32Array;
  askToClose(): void;
}

/** How long a thread may take: a call into a driver may compile a kernel. */
export const closeMilliseconds: Milliseconds = 10_000;

const threads = new Set<EndingThread>();

/** Until the returned function is called, which says that the thread has ended. */
export function closeBeforeExit(thread: EndingThread): () => void {
  if (threads.size === 0) process.on("exit", closeAll);
  threads.add(thread);
  return () => {
    threads.delete(thread);
    if (threads.size === 0) process.off("exit", closeAll);
  };
}

function closeAll(): void {
  const until = performance.now() + closeMilliseconds;
  for (const thread of threads) thread.askToClose();
  for (const { closed } of threads) {
    Atomics.wait(closed, 0, 0, Math.max(0, until - performance.now()));
  }
}
