/** The keys of a sidecar: profile, thresholds, margins and the recommendation, each value judged. */

import { counted } from "../../core/counted.ts";
import { FileFormatError } from "../../core/errors.ts";
import type { GgufFile } from "../../gguf/open.ts";
import type { ActivationProfile, ActiveRule } from "../activation-profile.ts";
import type { ExpertCounts } from "../expert-profile.ts";
import type { LearntCounts } from "../learnt-counts.ts";
import { type MethodName, methodNames } from "../method-names.ts";
import { keys } from "./names.ts";
import {
  type InputThresholds,
  type LayerPredictor,
  type MethodMeasurement,
  type NeuronThresholds,
  type PerPlace,
  places,
  type Recommendation,
  type SignCalibration,
  type ThresholdSet,
} from "./sidecar.ts";

export interface SidecarFacts {
  readonly profile?: ActivationProfile;
  readonly learnt?: LearntCounts;
  readonly experts?: ExpertCounts;
  readonly sign?: SignCalibration;
  readonly thresholds?: ThresholdSet;
  readonly recommendation?: Recommendation;
  readonly predictorFacts: (
    layer: number,
  ) => Pick<LayerPredictor<never>, "threshold" | "recall" | "precision">;
}

export function readFacts(
  gguf: GgufFile,
  model: {
    readonly layers: number;
    readonly counts: readonly Float64Array[] | undefined;
    readonly learnt: readonly Float64Array[] | undefined;
    readonly experts: ExpertCounts["layers"];
  },
): SidecarFacts {
  const reader = new FactReader(gguf);
  const { layers, counts, learnt, experts } = model;
  return {
    ...(counts && { profile: readProfile(reader, counts) }),
    ...(learnt && { learnt: readLearnt(reader, learnt) }),
    ...(reader.has(keys.expertTokens) && { experts: readExperts(reader, experts) }),
    ...(reader.has(keys.signMargins) && { sign: readSign(reader, layers) }),
    ...(reader.has(keys.thresholdScores) && { thresholds: readThresholds(reader, layers) }),
    ...(reader.has(keys.recommendedMethod) && { recommendation: readRecommendation(reader) }),
    predictorFacts: (layer) => ({
      threshold: reader.finite(keys.predictorThresholds, layers)[layer] ?? 0,
      recall: reader.measured(keys.predictorRecall, layers)[layer] ?? Number.NaN,
      precision: reader.measured(keys.predictorPrecision, layers)[layer] ?? Number.NaN,
    }),
  };
}

function readLearnt(reader: FactReader, counts: readonly Float64Array[]): LearntCounts {
  const tokens = reader.count(keys.learntTokens);
  checkCounts(reader, counts, { name: "learnt", tokens });
  return { tokens, counts };
}

function readExperts(reader: FactReader, layers: ExpertCounts["layers"]): ExpertCounts {
  const tokens = reader.count(keys.expertTokens);
  const none = new Float64Array(0);
  const counts = layers.map((layer) => layer?.counts ?? none);
  checkCounts(reader, counts, { name: "expert", tokens });
  for (const [layer, of] of layers.entries()) {
    const wrong = of?.weights.find((value) => !Number.isFinite(value));
    if (wrong === undefined) continue;
    reader.fail(`expert weights of layer ${layer}`, String(wrong), "finite numbers");
  }
  const names = reader.strings(keys.expertCorpusNames);
  const hashes = reader.strings(keys.expertCorpusHashes, names.length);
  const corpora = names.map((name, i) => ({ name, hash: hashes[i] ?? "" }));
  return { tokens, corpora, layers };
}

function checkCounts(
  reader: FactReader,
  counts: readonly Float64Array[],
  { name, tokens }: { readonly name: string; readonly tokens: number },
): void {
  const isCount = (value: number): boolean =>
    Number.isInteger(value) && value >= 0 && value <= tokens;
  for (const [layer, layerCounts] of counts.entries()) {
    const wrong = layerCounts.find((value) => !isCount(value));
    if (wrong === undefined) continue;
    reader.fail(`${name} counts of layer ${layer}`, String(wrong), `counts from 0 to ${tokens}`);
  }
}

function readProfile(reader: FactReader, counts: readonly Float64Array[]): ActivationProfile {
  const tokens = reader.count(keys.profileTokens);
  checkCounts(reader, counts, { name: "activation", tokens });
  const names = reader.strings(keys.corpusNames);
  const hashes = reader.strings(keys.corpusHashes, names.length);
  const ofCorpus = reader.notNegative(keys.corpusTokens, names.length);
  const complete = reader.finite(keys.corpusComplete, names.length);
  const corpora = names.map((name, i) => ({
    name,
    hash: hashes[i] ?? "",
    tokens: ofCorpus[i] ?? 0,
    isComplete: complete[i] === 1,
  }));
  return { rule: readRule(reader), tokens, counts, corpora };
}

function readRule(reader: FactReader): ActiveRule {
  const kind = reader.string(keys.profileRule);
  if (kind === "nonzero") return { kind };
  if (kind !== "top") return reader.failKey(keys.profileRule, kind, "nonzero or top");
  const share = reader.number(keys.profileTopShare);
  if (share > 0 && share <= 1) return { kind, share };
  return reader.failKey(keys.profileTopShare, String(share), "a share from 0 to 1");
}

function readSign(reader: FactReader, layers: number): SignCalibration {
  return {
    margins: reader.finite(keys.signMargins, layers),
    recall: reader.measured(keys.signRecall, layers),
  };
}

/** Tables of neurons first, then those of inputs, which sidecars of earlier versions do not have. */
function readThresholds(reader: FactReader, layers: number): ThresholdSet {
  const tables = [...readNeuronTables(reader, layers), ...readInputTables(reader, layers)];
  const chosen = reader.count(keys.thresholdChosen);
  if (chosen >= tables.length) {
    reader.failKey(keys.thresholdChosen, String(chosen), `below ${tables.length}, the tables`);
  }
  return { tables, chosen };
}

function readNeuronTables(reader: FactReader, layers: number): readonly NeuronThresholds[] {
  const scores = reader.strings(keys.thresholdScores);
  const sparsity = reader.finite(keys.thresholdSparsity, scores.length);
  const values = reader.notNegative(keys.thresholdValues, scores.length * layers);
  return scores.map((score, i) => ({
    score: asScore(reader, score),
    sparsity: sparsity[i] ?? 0,
    values: values.slice(i * layers, (i + 1) * layers),
  }));
}

function readInputTables(reader: FactReader, layers: number): readonly InputThresholds[] {
  if (!reader.has(keys.inputShares)) return [];
  const width = places.length;
  const count = Math.ceil(reader.length(keys.inputShares) / width);
  const shares = reader.notNegative(keys.inputShares, count * width);
  const tooLarge = shares.find((share) => share > 1);
  if (tooLarge !== undefined) {
    reader.failKey(keys.inputShares, String(tooLarge), "shares from 0 to 1");
  }
  const values = reader.notNegative(keys.inputValues, count * layers * width);
  return Array.from({ length: count }, (_, table) => ({
    score: "input",
    shares: perPlace(shares, table),
    values: Array.from({ length: layers }, (_, layer) => perPlace(values, table * layers + layer)),
  }));
}

/** The numbers of the entry at `index`, one for each place. */
function perPlace(numbers: readonly number[], index: number): PerPlace {
  const begin = index * places.length;
  const entry = numbers.slice(begin, begin + places.length);
  const [attention = 0, attentionOutput = 0, ffn = 0, output = 0] = entry;
  return { attention, attentionOutput, ffn, output };
}

function asScore(reader: FactReader, name: string): NeuronThresholds["score"] {
  if (name === "gate" || name === "output") return name;
  return reader.failKey(keys.thresholdScores, name, "gate or output");
}

function readRecommendation(reader: FactReader): Recommendation {
  const methods = reader.strings(keys.measuredMethods);
  const count = methods.length;
  const variants = reader.strings(keys.measuredVariants, count);
  const column = (key: string): readonly number[] => reader.measured(key, count);
  const activeShare = column(keys.measuredActiveShare);
  const bytesPerToken = column(keys.measuredBytesPerToken);
  const perplexity = column(keys.measuredPerplexity);
  const agreement = column(keys.measuredAgreement);
  const tokensPerSecond = column(keys.measuredTokensPerSecond);
  const measured = methods.map(
    (method, i): MethodMeasurement => ({
      method: asMethod(reader, keys.measuredMethods, method),
      variant: variants[i] ?? "",
      activeShare: activeShare[i] ?? Number.NaN,
      bytesPerToken: bytesPerToken[i] ?? Number.NaN,
      perplexity: perplexity[i] ?? Number.NaN,
      agreement: agreement[i] ?? Number.NaN,
      tokensPerSecond: tokensPerSecond[i] ?? Number.NaN,
    }),
  );
  const method = reader.string(keys.recommendedMethod);
  return {
    method: asMethod(reader, keys.recommendedMethod, method),
    reason: reader.string(keys.recommendedReason),
    measured,
  };
}

function asMethod(reader: FactReader, key: string, name: string): MethodName {
  const method = methodNames.find((known) => known === name);
  return method ?? reader.failKey(key, name, methodNames.join(", "));
}

class FactReader {
  readonly #gguf: GgufFile;

  constructor(gguf: GgufFile) {
    this.#gguf = gguf;
  }

  has(key: string): boolean {
    return this.#gguf.metadata.has(key);
  }

  string(key: string): string {
    return this.#gguf.metadata.string(key);
  }

  number(key: string): number {
    return this.#gguf.metadata.number(key);
  }

  count(key: string): number {
    const value = this.number(key);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    return this.failKey(key, String(value), "a whole number of at least 0");
  }

  strings(key: string, length?: number): readonly string[] {
    const values = this.#gguf.metadata.strings(key);
    if (length === undefined || values.length === length) return values;
    return this.failKey(key, counted(values.length, "text"), String(length));
  }

  /** NaN is what was not measured; an infinity is nothing that could have been. */
  measured(key: string, length: number): readonly number[] {
    const values = this.#numbers(key, length);
    const wrong = values.find((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
    if (wrong === undefined) return values;
    return this.failKey(key, String(wrong), "finite numbers, or NaN for what was not measured");
  }

  finite(key: string, length: number): readonly number[] {
    const values = this.#numbers(key, length);
    const wrong = values.find((value) => !Number.isFinite(value));
    if (wrong === undefined) return values;
    return this.failKey(key, String(wrong), "finite numbers");
  }

  notNegative(key: string, length: number): readonly number[] {
    const values = this.finite(key, length);
    const negative = values.find((value) => value < 0);
    if (negative === undefined) return values;
    return this.failKey(key, String(negative), "values of at least 0");
  }

  length(key: string): number {
    return this.#gguf.metadata.numbers(key).length;
  }

  failKey(key: string, found: string, expected: string): never {
    return this.fail(`metadata key ${key}`, found, expected);
  }

  fail(where: string, found: string, expected: string): never {
    throw new FileFormatError({ file: this.#gguf.path, where, found, expected });
  }

  #numbers(key: string, length: number): readonly number[] {
    const values = Array.from(this.#gguf.metadata.numbers(key));
    if (values.length === length) return values;
    return this.failKey(key, counted(values.length, "number"), String(length));
  }
}
