/**
 * What is counted while answers are written: kept apart from the profile until someone folds it in, so that plans do
 * not change behind the user's back. Neurons on a graphics card are not watched one by one; their share is filled in.
 */

import type { Tokens } from "../core/units.ts";
import { type ActivationProfile, type ActiveRule, emptyProfile } from "./activation-profile.ts";
import type { MethodName } from "./method-names.ts";

export interface LearntCounts {
  readonly tokens: Tokens;
  /** By layer: for how many tokens each neuron was active. [neurons] */
  readonly counts: readonly Float64Array[];
}

/** What was seen of one layer over some tokens. */
export interface LayerObservation {
  /** Neurons that were watched one by one. */
  readonly neurons: Uint32Array;
  /** For how many tokens each of them was active. */
  readonly active: Uint32Array;
  /** Active neurons for a token on average, watched or not. */
  readonly activePerToken: number;
}

/** The corpus that a profile names for what was folded in. It is not a file: no profiling run continues it. */
const answersCorpus = { name: "answers", hash: "answers" } as const;

/** Undefined where active sets are those that a profile counts; else why nothing can be learnt from them. */
export function obstacleToLearning(method: MethodName, rule: ActiveRule): string | undefined {
  if (method === "dense") return "sparsity dense computes every neuron";
  if (rule.kind === "nonzero") return undefined;
  return "this model's neurons are never zero, and which are in the top share is not known while it runs";
}

/** The learnt counts with more tokens. `profile` says how the neurons that were not watched share what is left. */
export function addObservation(
  before: LearntCounts,
  seen: { readonly tokens: Tokens; readonly layers: readonly LayerObservation[] },
  profile: ActivationProfile,
): LearntCounts {
  const { tokens, layers } = seen;
  const counts = before.counts.map((old, layer) => {
    const observation = layers[layer];
    if (observation === undefined) return old;
    const weights = profile.counts[layer] ?? new Float64Array(old.length);
    const phase = (before.tokens * goldenRatio) % 1;
    const added = countsOf(observation, { tokens, weights, phase });
    return old.map((count, neuron) => count + (added[neuron] ?? 0));
  });
  return { tokens: before.tokens + tokens, counts };
}

/** The profile with the learnt counts as one more corpus. */
export function foldLearnt(profile: ActivationProfile, learnt: LearntCounts): ActivationProfile {
  const known = profile.corpora.find(({ hash }) => hash === answersCorpus.hash);
  const others = profile.corpora.filter(({ hash }) => hash !== answersCorpus.hash);
  const tokens = (known?.tokens ?? 0) + learnt.tokens;
  return {
    rule: profile.rule,
    tokens: profile.tokens + learnt.tokens,
    counts: profile.counts.map((counts, layer) =>
      counts.map((count, neuron) => count + (learnt.counts[layer]?.[neuron] ?? 0)),
    ),
    corpora: [...others, { ...answersCorpus, tokens, isComplete: false }],
  };
}

export function nothingLearnt(neurons: readonly number[]): LearntCounts {
  const { tokens, counts } = emptyProfile({ kind: "nonzero" }, neurons);
  return { tokens, counts };
}

/** Its multiples modulo 1 are spread evenly: rounding favours no neuron over many short answers. */
const goldenRatio = 0.618033988749895;

/** Whole counts: what was seen, and for the other neurons what is left of the layer's activity, by their weights. */
function countsOf(
  { neurons, active, activePerToken }: LayerObservation,
  by: { readonly tokens: Tokens; readonly weights: Float64Array; readonly phase: number },
): Float64Array {
  const { tokens, phase } = by;
  const counts = new Float64Array(by.weights.length);
  const isSeen = new Uint8Array(counts.length);
  let left = activePerToken * tokens;
  for (const [i, neuron] of neurons.entries()) {
    const count = Math.min(active[i] ?? 0, tokens);
    counts[neuron] = count;
    isSeen[neuron] = 1;
    left -= count;
  }
  const unseen = by.weights.map((weight, neuron) => (isSeen[neuron] === 1 ? 0 : weight));
  const sum = unseen.reduce((all, weight) => all + weight, 0);
  const even = counts.length - neurons.length;
  let carry = phase;
  for (const [neuron, weight] of unseen.entries()) {
    if (isSeen[neuron] === 1 || left <= 0) continue;
    carry += left * (sum === 0 ? 1 / even : weight / sum);
    const whole = Math.floor(carry);
    counts[neuron] = Math.min(whole, tokens);
    carry -= whole;
  }
  return counts;
}
