/** The merges of a vocabulary by their rank: those that come first in the file go first. */
import { entriesPerPause, type Pausable } from "../core/pausable.ts";
import { malformed, type Vocabulary } from "./vocabulary.ts";

interface MergeRanks {
  /** Infinity if the two parts of symbols[start, end) are not merged. */
  rankOf(symbols: string, start: number, middle: number, end: number): number;
}

/** `written`: a merge in the alphabet of the symbols, its space included. */
export function* indexMerges(
  vocabulary: Vocabulary,
  written: (merge: string) => string = (merge) => merge,
): Pausable<MergeRanks> {
  const ranks = new Map<string, number>();
  let longest = 0;
  for (const [rank, merge] of vocabulary.merges.entries()) {
    if (rank % entriesPerPause === 0) yield;
    if (merge.indexOf(" ", 1) === -1) {
      const expected = 'two symbols with a space between them, such as "h e"';
      const where = `tokenizer.ggml.merges, entry ${rank}`;
      throw malformed(vocabulary.file, where, JSON.stringify(merge), expected);
    }
    const pair = written(merge);
    longest = Math.max(longest, pair.length - 1);
    if (!ranks.has(pair)) ranks.set(pair, rank);
  }
  return {
    rankOf(symbols, start, middle, end) {
      if (end - start > longest) return Number.POSITIVE_INFINITY;
      const pair = `${symbols.slice(start, middle)} ${symbols.slice(middle, end)}`;
      return ranks.get(pair) ?? Number.POSITIVE_INFINITY;
    },
  };
}
