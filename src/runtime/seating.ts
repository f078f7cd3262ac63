/** Which sequence an answer is written in, and how much of its prompt it finds there or in another one. */
import type { Tokens } from "../core/units.ts";
import type { SequenceCache } from "./sequence-cache.ts";

export interface Seating {
  readonly sequence: number;
  /** The sequence that holds the beginning: this one, or one that is forked. */
  readonly from: number;
  /** Tokens of the prompt that need not be read. */
  readonly cached: Tokens;
  /** Tokens that some sequence has in common with the prompt, whether or not it can go back to them. */
  readonly shared: Tokens;
}

/** For what needs every row of its text: nothing is taken from anywhere. */
export function freshSeating([oldest]: readonly number[]): Seating | undefined {
  return oldest === undefined
    ? undefined
    : { sequence: oldest, from: oldest, cached: 0, shared: 0 };
}

/**
 * `free`: sequences without an answer, the one that was left longest ago first. The beginning of a prompt is taken from
 * whichever sequence can give most of it: that one goes on itself, or is forked, whichever forgets less of what may be
 * asked for again.
 */
export function chooseSeating(
  cache: SequenceCache,
  prompt: readonly number[],
  free: readonly number[],
): Seating | undefined {
  const [oldest] = free;
  if (oldest === undefined) return undefined;
  // The last token is always read: its logits are what the answer starts from.
  const most = prompt.length - 1;
  let from = oldest;
  let cached = -1;
  let shared = 0;
  // Free ones first: of equals, none is forked.
  const others = Array.from({ length: cache.sequences }, (_, i) => i).filter(
    (i) => !free.includes(i),
  );
  for (const sequence of [...free, ...others]) {
    const common = Math.min(cache.commonPrefix(sequence, prompt), most);
    const { length } = cache.reach(sequence, common);
    shared = Math.max(shared, common);
    if (length > cached) [from, cached] = [sequence, length];
  }
  // Tokens that would be forgotten, the less missed the longer ago they were used.
  const loss = (sequence: number): number => {
    const kept = sequence === from ? cached : 0;
    return (cache.length(sequence) - kept) / (free.length - free.indexOf(sequence));
  };
  const first = free.includes(from) ? from : oldest;
  const sequence = free.reduce((best, i) => (loss(i) < loss(best) ? i : best), first);
  return { sequence, from, cached, shared };
}
