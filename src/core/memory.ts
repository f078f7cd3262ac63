/** Refuses to begin what would not fit into memory. */
import { LimitError } from "./errors.ts";
import { type Bytes, formatBytes } from "./units.ts";

/** `what` is a plural. @throws LimitError unless `bytes` of memory are free: it names both sizes and the remedy. */
export function requireFree(bytes: Bytes, what: string, remedy: string): void {
  const free = process.availableMemory();
  if (bytes <= free) return;
  throw new LimitError(
    `${what} take ${formatBytes(bytes)} and ${formatBytes(free)} of memory are free; ${remedy}`,
  );
}
