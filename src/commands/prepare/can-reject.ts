/**
 * When a method of `prepare` need not be checked any further. By successive elimination over a sample that doubles, a
 * candidate that cannot win is rejected early. Only the whole check can accept one.
 */
import type { Bytes, Tokens } from "../../core/units.ts";
import { compareTargets, type ScoredTargets } from "../../learning/check/checked-model.ts";

/** Of fewer targets the error of a mean is not known well enough. */
const minTargets: Tokens = 100;
/**
 * Standard errors by which a change must miss the limit. A point on the limit is dropped by one look with a probability of
 * 0.13 %, and there are at most log2(windows) looks; one that is better, less.
 */
const errorsBeyond = 3;
/** The bytes of a part of the text are those of the whole within a few per cent. */
const bytesAlike = 1.05;

export interface BestSoFar {
  readonly maxPerplexityLoss: number;
  /** Of the cheapest method that kept the quality on the whole check; undefined while there is none. */
  readonly cheapest: Bytes | undefined;
}

/** `windows` of the check are done. `scored` is called only when the number of windows is a power of two. */
export function canReject(
  scored: () => ScoredTargets,
  reference: ScoredTargets,
  { windows, maxPerplexityLoss, cheapest }: BestSoFar & { readonly windows: number },
): boolean {
  const isLook = (windows & (windows - 1)) === 0;
  if (!isLook) return false;
  const seen = scored();
  if (seen.losses.length < minTargets) return false;
  const { perplexityLoss, lossError } = compareTargets(seen, reference);
  if (Math.abs(perplexityLoss) - errorsBeyond * lossError > maxPerplexityLoss) return true;
  return cheapest !== undefined && seen.bytesPerToken - seen.bytesSkipped > bytesAlike * cheapest;
}
