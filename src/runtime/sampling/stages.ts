/** Which stages an answer's options ask for, in llama.cpp's order; what an option switches off is not there. */
import type { Random } from "../../core/random.ts";
import { DryStage, type SequenceBreakers } from "./dry.ts";
import {
  excludeTopChoices,
  heat,
  heatByEntropy,
  keepMinP,
  keepTopK,
  keepTopNSigma,
  keepTopP,
  keepTypical,
} from "./filters.ts";
import { MirostatStage } from "./mirostat.ts";
import { BiasStage, PenaltyStage } from "./penalties.ts";
import type { ResolvedSampling } from "./sampling-options.ts";
import type { LogitStage } from "./stage.ts";

/** Whether DRY can change anything. */
export function usesDry({ dryMultiplier, dryBase, dryPenaltyLastN }: ResolvedSampling): boolean {
  return dryMultiplier > 0 && dryBase >= 1 && dryPenaltyLastN > 0;
}

/** Stages that change logits by id, of greedy answers too. */
export function changesOf(
  options: ResolvedSampling,
  vocabulary: number,
  breakers: SequenceBreakers,
): readonly LogitStage[] {
  const { logitBias, repetitionPenalty, presencePenalty, frequencyPenalty } = options;
  const stages: LogitStage[] = [];
  if (Object.keys(logitBias).length > 0) stages.push(new BiasStage(logitBias));
  const penalises = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
  if (penalises && options.penaltyWindow > 0) stages.push(new PenaltyStage(options));
  if (usesDry(options)) stages.push(new DryStage(options, vocabulary, breakers));
  return stages;
}

/** Stages that take tokens out of the race, and the temperature; none for a greedy answer. */
export function filtersOf(
  options: ResolvedSampling,
  vocabulary: number,
  random: Random,
): readonly LogitStage[] {
  const { temperature, topNSigma, topK, typicalP, topP, minP, xtcThreshold } = options;
  if (temperature === 0) return [];
  if (options.mirostat !== 0) return [heat(temperature), new MirostatStage(options, vocabulary)];
  const stages: LogitStage[] = [];
  if (topNSigma > 0) stages.push(keepTopNSigma(topNSigma));
  if (topK > 0) stages.push(keepTopK(topK));
  if (typicalP < 1) stages.push(keepTypical(typicalP));
  if (topP < 1) stages.push(keepTopP(topP));
  if (minP > 0) stages.push(keepMinP(minP));
  const excludes = options.xtcProbability > 0 && xtcThreshold <= 0.5;
  if (excludes) stages.push(excludeTopChoices(options, random));
  stages.push(options.dynatempRange > 0 ? heatByEntropy(options) : heat(temperature));
  return stages;
}
