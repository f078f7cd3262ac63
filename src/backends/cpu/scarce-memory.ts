/** Whether mapped weights stay in memory: what of them does not is read from the disk again and again. */
import { type Bytes, formatBytes } from "../../core/units.ts";

/**
 * A sentence for the user where they do not; undefined where they fit. `available` is what the system and its control groups would
 * give to this process: the file's own pages in the system's cache count as available.
 */
export function scarceMemory(weights: Bytes, available: Bytes): string | undefined {
  if (weights <= available) return undefined;
  const [wanted, given] = [formatBytes(weights), formatBytes(Math.max(0, available))];
  return `memory: the weights take ${wanted} and ${given} are available, so what does not fit is read from the disk again for every token; take a smaller type or context, or close other programs`;
}
