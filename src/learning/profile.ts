/**
 * Counts activations over a corpus into a profile, from where the profile stopped: an observer of the gatherer.
 * Interrupted, it keeps what it counted; nothing is counted twice.
 */
import type { Tokens } from "../core/units.ts";
import { type ActivationProfile, emptyProfile } from "../sparsity/activation-profile.ts";
import { activeCounter } from "./active-set.ts";
import type { Corpus } from "./corpus.ts";
import type { Gatherer } from "./gather.ts";

export interface ProfileRequest {
  readonly corpora: readonly Corpus[];
  /** Tokens of each corpus, from its beginning; what the profile has of it already counts. */
  readonly tokens: Tokens;
  /** [neurons] of each layer; needed where the profile's rule weighs neurons by them. */
  readonly downNorms?: readonly Float32Array[];
  /** Called after each batch; a promise that it returns is awaited: the moment to save. */
  readonly onBatch?: (profile: ActivationProfile, done: Tokens) => Promise<void> | void;
  /** Ends the counting after the batch that is running; the profile so far is the result. */
  readonly signal?: AbortSignal;
}

/** `done` of onBatch: tokens of these corpora that are counted, earlier runs included. */
export async function extendProfile(
  gatherer: Gatherer,
  start: ActivationProfile,
  request: ProfileRequest,
): Promise<ActivationProfile> {
  let profile = copyOf(start);
  for (const corpus of request.corpora) {
    if (request.signal?.aborted) break;
    profile = await extendByCorpus(gatherer, profile, { ...request, corpus });
  }
  return profile;
}

/** Tokens of these corpora that a profile has counted. */
export function tokensCounted(profile: ActivationProfile, corpora: readonly Corpus[]): Tokens {
  const hashes = new Set(corpora.map(({ hash }) => hash));
  return profile.corpora
    .filter(({ hash }) => hashes.has(hash))
    .reduce((sum, { tokens }) => sum + tokens, 0);
}

async function extendByCorpus(
  gatherer: Gatherer,
  start: ActivationProfile,
  request: ProfileRequest & { readonly corpus: Corpus },
): Promise<ActivationProfile> {
  const { corpus, corpora, tokens, downNorms, onBatch, signal } = request;
  const known = start.corpora.find(({ hash }) => hash === corpus.hash);
  if (known?.isComplete || (known?.tokens ?? 0) >= tokens) return start;
  const count = activeCounter(start.rule);
  const { counts } = start;
  let profile = start;
  for await (const batch of gatherer.batches({ corpus, tokens, from: known?.tokens ?? 0 })) {
    for (const { layer, h } of batch.layers) {
      const layerCounts = counts[layer];
      if (layerCounts === undefined) continue;
      const hidden = { rows: batch.rows, neurons: layerCounts.length, h };
      count(hidden, layerCounts, downNorms?.[layer]);
    }
    profile = withCorpus(profile, corpus, { position: batch.position, rows: batch.rows });
    await onBatch?.(profile, tokensCounted(profile, corpora));
    if (signal?.aborted) return profile;
  }
  const read = profile.corpora.find(({ hash }) => hash === corpus.hash)?.tokens ?? 0;
  return read >= tokens ? profile : completed(profile, corpus);
}

function withCorpus(
  profile: ActivationProfile,
  corpus: Corpus,
  read: { readonly position: Tokens; readonly rows: number },
): ActivationProfile {
  const { name, hash } = corpus;
  const entry = { name, hash, tokens: read.position, isComplete: false };
  const others = profile.corpora.filter((other) => other.hash !== hash);
  return { ...profile, tokens: profile.tokens + read.rows, corpora: [...others, entry] };
}

/** The corpus ended before its tokens were all asked for. */
function completed(profile: ActivationProfile, { hash }: Corpus): ActivationProfile {
  const corpora = profile.corpora.map((corpus) =>
    corpus.hash === hash ? { ...corpus, isComplete: true } : corpus,
  );
  return { ...profile, corpora };
}

function copyOf(profile: ActivationProfile): ActivationProfile {
  const neurons = profile.counts.map((counts) => counts.length);
  const copy = emptyProfile(profile.rule, neurons);
  for (const [layer, counts] of profile.counts.entries()) copy.counts[layer]?.set(counts);
  return { ...profile, counts: copy.counts };
}
