/** The keys that changes of a sidecar write. Facts of predictors are lists over all layers, changed layer by layer. */
import type { GgufFile } from "../../gguf/open.ts";
import { type MetadataValue, metadataValue } from "../../gguf/value.ts";
import type { ActivationProfile } from "../activation-profile.ts";
import type { ExpertCounts } from "../expert-profile.ts";
import { keys } from "./names.ts";
import {
  type PerPlace,
  places,
  type Recommendation,
  type SidecarChanges,
  type SignCalibration,
  type ThresholdSet,
} from "./sidecar.ts";

type Entry = readonly [string, MetadataValue];

export function factEntries(
  changes: SidecarChanges,
  context: { readonly old: GgufFile | undefined; readonly layers: number },
): readonly Entry[] {
  const { profile, learnt, experts, predictors, sign, thresholds, recommendation } = changes;
  return [
    ...(profile ? profileEntries(profile) : []),
    ...(learnt ? [[keys.learntTokens, metadataValue.u64(BigInt(learnt.tokens))] as const] : []),
    ...(experts ? expertEntries(experts) : []),
    ...(predictors ? predictorEntries(predictors, context) : []),
    ...(sign ? signEntries(sign) : []),
    ...(thresholds ? thresholdEntries(thresholds) : []),
    ...(recommendation ? recommendationEntries(recommendation) : []),
  ];
}

function profileEntries({ rule, tokens, corpora }: ActivationProfile): readonly Entry[] {
  return [
    [keys.profileRule, metadataValue.string(rule.kind)],
    ...(rule.kind === "top" ? [[keys.profileTopShare, double(rule.share)] as const] : []),
    [keys.profileTokens, metadataValue.u64(BigInt(tokens))],
    [keys.corpusNames, metadataValue.strings(corpora.map(({ name }) => name))],
    [keys.corpusHashes, metadataValue.strings(corpora.map(({ hash }) => hash))],
    [keys.corpusTokens, doubles(corpora.map((corpus) => corpus.tokens))],
    [keys.corpusComplete, doubles(corpora.map(({ isComplete }) => Number(isComplete)))],
  ];
}

function expertEntries({ tokens, corpora }: ExpertCounts): readonly Entry[] {
  return [
    [keys.expertTokens, metadataValue.u64(BigInt(tokens))],
    [keys.expertCorpusNames, metadataValue.strings(corpora.map(({ name }) => name))],
    [keys.expertCorpusHashes, metadataValue.strings(corpora.map(({ hash }) => hash))],
  ];
}

function predictorEntries(
  predictors: NonNullable<SidecarChanges["predictors"]>,
  { old, layers }: { readonly old: GgufFile | undefined; readonly layers: number },
): readonly Entry[] {
  const facts = [
    [keys.predictorThresholds, "threshold"],
    [keys.predictorRecall, "recall"],
    [keys.predictorPrecision, "precision"],
  ] as const;
  return facts.map(([key, fact]) => {
    const before = old?.metadata.optionalNumbers(key) ?? [];
    const values = Array.from(
      { length: layers },
      (_, layer) => predictors.get(layer)?.[fact] ?? before[layer] ?? 0,
    );
    return [key, doubles(values)];
  });
}

function signEntries({ margins, recall }: SignCalibration): readonly Entry[] {
  return [
    [keys.signMargins, doubles(margins)],
    [keys.signRecall, doubles(recall)],
  ];
}

/** @throws RangeError for a table of neurons behind one of inputs: the file keeps them in two lists. */
function thresholdEntries({ tables, chosen }: ThresholdSet): readonly Entry[] {
  const ofNeurons = tables.filter((table) => table.score !== "input");
  const ofInputs = tables.filter((table) => table.score === "input");
  if ([...ofNeurons, ...ofInputs].some((table, at) => table !== tables[at])) {
    throw new RangeError("tables of neurons come before those of inputs");
  }
  const numbers = (one: PerPlace): readonly number[] => places.map((place) => one[place]);
  const values = ofInputs.flatMap((table) => table.values.flatMap(numbers));
  return [
    [keys.thresholdScores, metadataValue.strings(ofNeurons.map(({ score }) => score))],
    [keys.thresholdSparsity, doubles(ofNeurons.map(({ sparsity }) => sparsity))],
    [keys.thresholdValues, doubles(ofNeurons.flatMap((table) => table.values))],
    [keys.inputShares, doubles(ofInputs.flatMap(({ shares }) => numbers(shares)))],
    [keys.inputValues, doubles(values)],
    [keys.thresholdChosen, metadataValue.u32(chosen)],
  ];
}

function recommendationEntries({ method, reason, measured }: Recommendation): readonly Entry[] {
  return [
    [keys.recommendedMethod, metadataValue.string(method)],
    [keys.recommendedReason, metadataValue.string(reason)],
    [keys.measuredMethods, metadataValue.strings(measured.map((one) => one.method))],
    [keys.measuredVariants, metadataValue.strings(measured.map(({ variant }) => variant))],
    [keys.measuredActiveShare, doubles(measured.map(({ activeShare }) => activeShare))],
    [keys.measuredBytesPerToken, doubles(measured.map(({ bytesPerToken }) => bytesPerToken))],
    [keys.measuredPerplexity, doubles(measured.map(({ perplexity }) => perplexity))],
    [keys.measuredAgreement, doubles(measured.map(({ agreement }) => agreement))],
    [keys.measuredTokensPerSecond, doubles(measured.map((one) => one.tokensPerSecond))],
  ];
}

function double(value: number): MetadataValue {
  return { kind: "number", type: "f64", value };
}

function doubles(values: readonly number[]): MetadataValue {
  return { kind: "numbers", type: "f64", values: Float64Array.from(values) };
}
