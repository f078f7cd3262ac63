/** Weights that do not all stay in memory: how many do, and what the user is told. */
import { type Bytes, formatBytes } from "../../core/units.ts";

export interface ScarceMemory {
  readonly weights: Bytes;
  readonly available: Bytes;
  /** Of the weights that every step reads whole, those that stay in memory. */
  readonly kept: Bytes;
  /** Of the others, those that are read ahead of their use. */
  readonly window: Bytes;
}

const MiB = 1024 * 1024;

/** What stays is kept out of the way of what passes through: pages that were used are not free at once. */
const slackShare = 1 / 16;
const leastSlack: Bytes = 48 * MiB;

/** A disk of 3 GB/s takes 20 ms for the least: as long as a layer of a large model. */
const windowShare = 1 / 16;
const leastWindow: Bytes = 32 * MiB;
const mostWindow: Bytes = 512 * MiB;

/**
 * Undefined where the weights fit. `available` is what the system and its control groups would give to this process: the file's own
 * pages in the system's cache count as available.
 */
export function scarceMemory(weights: Bytes, available: Bytes): ScarceMemory | undefined {
  if (weights <= available) return undefined;
  const slack = Math.max(leastSlack, available * slackShare);
  const window = Math.min(mostWindow, Math.max(leastWindow, available * windowShare));
  return {
    weights,
    available: Math.max(0, available),
    kept: Math.floor(Math.max(0, available - slack - window)),
    window: Math.floor(window),
  };
}

/** A sentence for the user. `streamed`: bytes that each step reads from the disk in order; 0 where none are, as with experts. */
export function memoryNotice({ weights, available }: ScarceMemory, streamed: Bytes): string {
  const [wanted, given] = [formatBytes(weights), formatBytes(available)];
  const cost =
    streamed > 0
      ? `${formatBytes(streamed)} of them are read from the disk again for every token`
      : "what does not fit is read from the disk again for every token that uses it";
  return `memory: the weights take ${wanted} and ${given} are available, so ${cost}; take a smaller type or context, or close other programs`;
}
