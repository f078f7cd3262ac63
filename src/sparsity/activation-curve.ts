/**
 * The cumulative activation curve: sort neurons by how often they fire; the first x of them make y of all
 * activations. Source: PowerInfer 2312.12456, Figure 5.
 */
import { checkValue, isRecord, type OptionRule, shareRule } from "../core/check-options.ts";
import type { ActivationProfile } from "./activation-profile.ts";

export interface ActivationCurve {
  /** "layer 3", or "model" for the neurons of all layers together. */
  readonly name: string;
  /** y[i]: share of activations of the i most active neurons; x = i / neurons. [neurons + 1] */
  readonly shares: Float64Array;
}

/** One curve for each layer, then the model's. */
export function activationCurves(profile: ActivationProfile): readonly ActivationCurve[] {
  const layers = profile.counts.map((counts, layer) => ({
    name: `layer ${layer}`,
    shares: cumulativeShares(counts),
  }));
  const total = profile.counts.reduce((sum, counts) => sum + counts.length, 0);
  const all = new Float64Array(total);
  let at = 0;
  for (const counts of profile.counts) {
    all.set(counts, at);
    at += counts.length;
  }
  return [...layers, { name: "model", shares: cumulativeShares(all) }];
}

const curveRule: OptionRule = {
  expected: "a curve of a profile's summary",
  accepts: (value) => isRecord(value) && value["shares"] instanceof Float64Array,
};

/** The smallest share of neurons that makes this share of activations; 0 where nothing ever fired. @throws OptionError */
export function neuronShareFor(curve: ActivationCurve, activations: number): number {
  checkValue(curve, "curve", curveRule);
  checkValue(activations, "activations", shareRule);
  const neurons = curve.shares.length - 1;
  const found = curve.shares.findIndex((share) => share >= activations);
  return found < 0 || neurons === 0 ? 0 : found / neurons;
}

/** y[i]: share of the sum that the i largest counts make. [counts + 1] */
export function cumulativeShares(counts: Float64Array): Float64Array {
  const ascending = counts.toSorted();
  const shares = new Float64Array(counts.length + 1);
  let sum = 0;
  for (let i = 1; i <= counts.length; i++) {
    sum += ascending[counts.length - i] ?? 0;
    shares[i] = sum;
  }
  return sum === 0 ? shares : shares.map((share) => share / sum);
}
