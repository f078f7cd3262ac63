/** Stages without memory, or with no more than a die: each takes tokens out of the race by their likelihood, or sharpens what is left of it. */
import type { Random } from "../../core/random.ts";
import type { ResolvedSampling } from "./sampling-options.ts";
import type { LogitStage } from "./stage.ts";

/** Keeps the k largest logits. */
export function keepTopK(k: number): LogitStage {
  return { needs: k, apply: (candidates) => candidates.keepLargest(k) };
}

/** Keeps the tokens whose surprise is nearest to the entropy until their probability exceeds p. */
export function keepTypical(p: number): LogitStage {
  return ofAll((candidates) => candidates.keepTypical(p));
}

/** Keeps the fewest of the likeliest tokens whose probability reaches p. */
export function keepTopP(p: number): LogitStage {
  return ofAll((candidates) => candidates.keepTopP(p));
}

/** Keeps tokens at least p times as likely as the first. */
export function keepMinP(p: number): LogitStage {
  return ofAll((candidates) => candidates.keepMinP(p));
}

/** Keeps tokens at most so many standard deviations below the largest logit (arXiv 2411.07641). */
export function keepTopNSigma(deviations: number): LogitStage {
  return ofAll((candidates) => candidates.keepNearLargest(deviations));
}

/** Now and then leaves out all but the last of the likely tokens: XTC, Exclude Top Choices. */
export function excludeTopChoices(
  { xtcProbability, xtcThreshold }: Pick<ResolvedSampling, "xtcProbability" | "xtcThreshold">,
  random: Random,
): LogitStage {
  return ofAll((candidates) => {
    if (candidates.count < 2 || random.uniform() > xtcProbability) return;
    candidates.dropAllButLastOver(xtcThreshold);
  });
}

/** Divides logits by a temperature. */
export function heat(temperature: number): LogitStage {
  return ofAll((candidates) => candidates.heat(temperature));
}

/** Divides logits by a temperature that rises with the entropy's share of the most that so many tokens can have. */
export function heatByEntropy({
  temperature,
  dynatempRange,
  dynatempExponent,
}: Pick<ResolvedSampling, "temperature" | "dynatempRange" | "dynatempExponent">): LogitStage {
  const least = Math.max(0, temperature - dynatempRange);
  const most = temperature + dynatempRange;
  return ofAll((candidates) => {
    if (candidates.count < 2) return;
    const share = candidates.entropy / Math.log(candidates.count);
    candidates.heat(least + (most - least) * share ** dynatempExponent);
  });
}

function ofAll(apply: LogitStage["apply"]): LogitStage {
  return { needs: Number.POSITIVE_INFINITY, apply };
}
