/**
 * How often each neuron was active over a corpus: counts that add up, so that a profile can be continued.
 * Counts are doubles: exact up to 2^53 tokens, where float32 would stop counting at 2^24.
 */
import type { Tokens } from "../core/units.ts";
import type { Activation } from "../ops/op.ts";

/**
 * When a neuron counts as active. "nonzero": h ≠ 0, for the ReLU family. "top": among this share of the block's
 * neurons by |h|·‖down row‖, for activations that are never zero; the share is the same for every token.
 */
export type ActiveRule =
  | { readonly kind: "nonzero" }
  | { readonly kind: "top"; readonly share: number };

export interface ActivationProfile {
  readonly rule: ActiveRule;
  /** Tokens counted. */
  readonly tokens: Tokens;
  /** By layer: for how many tokens each neuron was active. [neurons] */
  readonly counts: readonly Float64Array[];
  /** What was read; a corpus is here once. */
  readonly corpora: readonly ProfiledCorpus[];
}

interface ProfiledCorpus {
  readonly name: string;
  /** sha256 of the file, in hex. */
  readonly hash: string;
  /** Tokens of its beginning that were counted. */
  readonly tokens: Tokens;
  /** Whether it was read to its end. */
  readonly isComplete: boolean;
}

/**
 * A fifth of the neurons, the same for every layer and token, so that the counts of different models and corpora can
 * be compared. A yardstick for ranking neurons, not a promise that the rest can be skipped: thresholds are calibrated.
 */
const topShare = 0.2;

export function activeRuleFor(activation: Activation): ActiveRule {
  return isReluFamily(activation) ? { kind: "nonzero" } : { kind: "top", share: topShare };
}

/** Whether the activation is exactly zero for some inputs. */
export function isReluFamily(activation: Activation): boolean {
  switch (activation.kind) {
    case "relu":
    case "relu2":
    case "fatrelu":
      return true;
    case "silu":
    case "gelu":
    case "gelu-tanh":
    case "clamped-swish":
      return false;
    default:
      return activation satisfies never;
  }
}

/** A profile of nothing yet. */
export function emptyProfile(rule: ActiveRule, neurons: readonly number[]): ActivationProfile {
  return { rule, tokens: 0, counts: neurons.map((count) => new Float64Array(count)), corpora: [] };
}

/** Activation frequency of each neuron of a layer, 0…1. */
export function activationFrequencies(profile: ActivationProfile, layer: number): Float64Array {
  const counts = profile.counts[layer] ?? new Float64Array(0);
  return counts.map((count) => (profile.tokens === 0 ? 0 : count / profile.tokens));
}

/** Share of active neurons, by layer. */
export function activeShares(profile: ActivationProfile): readonly number[] {
  return profile.counts.map((counts) => {
    const active = counts.reduce((sum, count) => sum + count, 0);
    return profile.tokens === 0 ? 0 : active / (profile.tokens * counts.length);
  });
}

/** Share of active neurons in all layers together. */
export function activeShare(profile: ActivationProfile): number {
  const neurons = profile.counts.reduce((sum, counts) => sum + counts.length, 0);
  const active = profile.counts.reduce(
    (sum, counts) => sum + counts.reduce((layer, count) => layer + count, 0),
    0,
  );
  return profile.tokens === 0 ? 0 : active / (profile.tokens * neurons);
}

export function describeRule(rule: ActiveRule): string {
  return rule.kind === "nonzero"
    ? "active when not zero"
    : `active when among the top ${(100 * rule.share).toFixed(0)} % by |h|·‖down row‖`;
}
