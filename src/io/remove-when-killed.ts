/** Takes a file away when the process ends before its work is done: at exit, and at the signals that end a process. */
import { rmSync } from "node:fs";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A handler that only cleans up: signals still end the process when all handlers are such. */
const cleansUp: unique symbol = Symbol("hearth cleans up");

/** Returns what ends the watch. Where somebody else handles a signal, the process goes on, and so does the work. */
export function removeWhenKilled(path: string): () => void {
  const remove = (): void => rmSync(path, { force: true });
  const onSignal = Object.assign(
    (signal: NodeJS.Signals): void => {
      const others = process.listeners(signal).filter((other) => other !== onSignal);
      if (!others.every((other) => cleansUp in other)) return;
      remove();
      process.off(signal, onSignal);
      if (others.length === 0) process.kill(process.pid, signal);
    },
    { [cleansUp]: true },
  );
  process.on("exit", remove);
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    process.off("exit", remove);
    for (const signal of signals) process.off(signal, onSignal);
  };
}
