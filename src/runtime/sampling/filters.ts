/** Stages without memory: each takes tokens out of the race by their likelihood, or sharpens what is left of it. */
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

/** Divides logits by a temperature. */
export function heat(temperature: number): LogitStage {
  return ofAll((candidates) => candidates.heat(temperature));
}

function ofAll(apply: LogitStage["apply"]): LogitStage {
  return { needs: Number.POSITIVE_INFINITY, apply };
}
