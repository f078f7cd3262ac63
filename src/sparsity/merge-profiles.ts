/**
 * Two processes that count into one sidecar at once: what each has counted since it last saw the file adds up. Counts of
 * different corpora are mixed, so of one corpus that both have counted, one's counts must be all that it has.
 */
import { HearthError } from "../core/errors.ts";
import type { ActivationProfile } from "./activation-profile.ts";

export interface MergedProfile {
  readonly profile: ActivationProfile;
  /** False: the file has already what was counted here, from somebody who counted the same. */
  readonly isIncluded: boolean;
}

/**
 * `base`: what `mine` went on from, `file`: what is there now, which went on from `base` too.
 * @throws HearthError where counts can neither be added nor left out
 */
export function mergeProfiles(
  mine: ActivationProfile,
  base: ActivationProfile,
  file: ActivationProfile | undefined,
): MergedProfile {
  const theirs = file === undefined ? new Map<string, number>() : newTokens(file, base);
  if (file === undefined || (theirs.size === 0 && file.tokens === base.tokens)) {
    return { profile: mine, isIncluded: true };
  }
  const ours = newTokens(mine, base);
  const both = [...ours.keys()].filter((hash) => theirs.has(hash));
  if (both.length === 0) return { profile: added(mine, base, file), isIncluded: true };
  if (isCovered(ours, theirs)) return { profile: file, isIncluded: false };
  const isOnlyCorpora =
    [...theirs.values()].reduce((sum, tokens) => sum + tokens, base.tokens) === file.tokens;
  if (isOnlyCorpora && isCovered(theirs, ours)) return { profile: mine, isIncluded: true };
  const { name = "one" } = file.corpora.find(({ hash }) => hash === both[0]) ?? {};
  throw new HearthError(
    `another command has counted the corpus ${name} into the same sidecar in the meantime; run this one again when ` +
      "that has ended: it goes on from what is there",
  );
}

/** Tokens of each corpus beyond those of `base`, by hash; a corpus that was found to have ended counts too. */
function newTokens(
  profile: ActivationProfile,
  base: ActivationProfile,
): ReadonlyMap<string, number> {
  const added = new Map<string, number>();
  for (const { hash, tokens, isComplete } of profile.corpora) {
    const known = base.corpora.find((corpus) => corpus.hash === hash);
    if (known?.tokens === tokens && known.isComplete === isComplete) continue;
    added.set(hash, tokens - (known?.tokens ?? 0));
  }
  return added;
}

function isCovered(some: ReadonlyMap<string, number>, all: ReadonlyMap<string, number>): boolean {
  return [...some].every(([hash, tokens]) => (all.get(hash) ?? -1) >= tokens);
}

function added(
  mine: ActivationProfile,
  base: ActivationProfile,
  file: ActivationProfile,
): ActivationProfile {
  const ours = newTokens(mine, base);
  return {
    rule: file.rule,
    tokens: file.tokens + mine.tokens - base.tokens,
    counts: file.counts.map((counts, layer) =>
      counts.map(
        (count, neuron) =>
          count + (mine.counts[layer]?.[neuron] ?? 0) - (base.counts[layer]?.[neuron] ?? 0),
      ),
    ),
    corpora: [
      ...file.corpora.filter(({ hash }) => !ours.has(hash)),
      ...mine.corpora.filter(({ hash }) => ours.has(hash)),
    ],
  };
}
