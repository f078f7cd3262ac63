/** Ctrl-C in a command that keeps what it has done: it stops at the next point to go on from, says so and ends as shells expect. */
import { say } from "./output.ts";

/** 128 + SIGINT: what shells expect of a program that Ctrl-C ended. */
export const interruptedExitCode = 130;

/** For people and for the shell. */
export function sayStopped(): void {
  say("stopped early; the same command goes on from here");
  process.exitCode = interruptedExitCode;
}

/**
 * What `work` gives, or undefined where Ctrl-C stopped it, which has been said then. A second Ctrl-C ends the process
 * at once.
 */
export async function untilInterrupted<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result | undefined> {
  const stop = new AbortController();
  // It stays to the end: where nobody handles the signal, files that are being written are given up (remove-when-killed.ts).
  const onInterrupt = (): void => {
    if (stop.signal.aborted) process.exit(interruptedExitCode);
    stop.abort();
  };
  process.on("SIGINT", onInterrupt);
  try {
    return await work(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    sayStopped();
    return undefined;
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}
