/**
 * How many workgroups fill a card, and into how many parts a sum is cut to get them. Arithmetic only: tests count
 * with it, kernels are launched by it.
 */

/** Compute units of the largest cards that people buy: 128 of an RTX 4090, 96 of an RX 7900 XTX, 170 of an RTX 5090. */
export const computeUnits = 128;

/**
 * Workgroups of 64 threads that keep such a card reading, by Little's law: 1 TB/s at 600 ns from memory are 600 kB in
 * flight, 4.7 kB for each unit. Four groups are 256 threads; each has one 16-byte read of a weight on the way: 4 kB, and
 * compilers start the next read before the first arrives. Four groups take an eighth of the 2048 threads that a unit
 * holds, so that registers never decide.
 */
const groupsPerUnit = 4;

export const fullGrid: number = computeUnits * groupsPerUnit;

/**
 * Parts beyond this cost more than they bring. Every part of a row writes and reads `dim` sums of f32: with 32, a
 * megabyte for dim 4096, two fifths of the Q4_0 weights of 10 % of 11008 neurons. It stays in the card's cache, which is four
 * times as fast as its memory.
 */
const maxParts = 32;

/** Items that a part has at least if all are active: of 256 neurons, 26 at 10 %, three for each of eight lanes. */
const itemsPerPart = 256;

/** Parts of a sum over `items`, when each part takes `groups` workgroups. Depends on sizes only, so that sums keep their order. */
export function partsToFill({
  groups,
  items,
}: {
  readonly groups: number;
  readonly items: number;
}): number {
  const useful = Math.floor(items / itemsPerPart);
  return Math.max(1, Math.min(Math.ceil(fullGrid / groups), useful, maxParts));
}
