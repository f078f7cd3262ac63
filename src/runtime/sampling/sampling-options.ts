/** How the next token of an answer is chosen: what a caller may say of it, the defaults, and the rules that judge values. */
import {
  checkOptions,
  countRule,
  isNumber,
  isPlainObject,
  numberRule,
  type OptionRule,
  type OptionRules,
  shareRule,
} from "../../core/check-options.ts";
import { OptionError } from "../../core/errors.ts";

/** Defaults are llama.cpp's. `temperature` 0 is greedy and ignores the filters, not the penalties. */
export interface SamplingOptions {
  readonly temperature?: number;
  /** Keep the k likeliest; 0 keeps all. Default 40. */
  readonly topK?: number;
  /** Keep the smallest set whose probability reaches p; 1 keeps all. Default 0.95. */
  readonly topP?: number;
  /** Keep tokens at least p times as likely as the likeliest; 0 keeps all. Default 0.05. */
  readonly minP?: number;
  /** Locally typical sampling (Meister et al., 2022); 1 keeps all. Default 1. */
  readonly typicalP?: number;
  /** Divides positive logits of recent tokens and multiplies negative ones (CTRL); 1 is off. Default 1. */
  readonly repetitionPenalty?: number;
  /** Subtracted once from a recent token's logit. Default 0. */
  readonly presencePenalty?: number;
  /** Subtracted for each recent occurrence. Default 0. */
  readonly frequencyPenalty?: number;
  /** How many tokens back the penalties look. Default 64. */
  readonly penaltyWindow?: number;
  /** Added to a token's logit; −Infinity forbids it. */
  readonly logitBias?: Readonly<Record<number, number>>;
  /** Default: a fresh one, reported in the result. */
  readonly seed?: number;
}

export type ResolvedSampling = Required<Omit<SamplingOptions, "seed">> & { readonly seed: number };

const defaults: Omit<ResolvedSampling, "seed"> = {
  temperature: 0.8,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  typicalP: 1,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  penaltyWindow: 64,
  logitBias: {},
};

/** The window is an array; no context is longer. */
const maxPenaltyWindow = 1 << 24;

const positiveRule: OptionRule = {
  expected: "a number > 0",
  accepts: (value) => numberRule.accepts(value) && isNumber(value) && value > 0,
};

const biasRule: OptionRule = {
  expected: "an object of token ids with a number or −Infinity each",
  accepts: (value) =>
    isPlainObject(value) &&
    Object.entries(value).every(
      ([id, bias]) =>
        countRule(0).accepts(Number(id)) && isNumber(bias) && bias < Number.POSITIVE_INFINITY,
    ),
};

export const samplingRules: OptionRules<SamplingOptions> = {
  temperature: {
    expected: "a number of at least 0",
    accepts: (value) => numberRule.accepts(value) && isNumber(value) && value >= 0,
  },
  topK: countRule(0),
  topP: shareRule,
  minP: shareRule,
  typicalP: shareRule,
  repetitionPenalty: positiveRule,
  presencePenalty: numberRule,
  frequencyPenalty: numberRule,
  penaltyWindow: countRule(0, maxPenaltyWindow),
  logitBias: biasRule,
  seed: countRule(0, 2 ** 32 - 1),
};

/** Fills in defaults. @throws OptionError naming the option. Other options are left alone. */
export function resolveSampling(options: SamplingOptions, vocabulary: number): ResolvedSampling {
  const given = Object.entries(options).filter(
    ([name, value]) => value !== undefined && Object.hasOwn(samplingRules, name),
  );
  const sampling: SamplingOptions = Object.fromEntries(given);
  checkOptions(sampling, samplingRules, "sampling");
  const seed = sampling.seed ?? Math.floor(Math.random() * 0x1_0000_0000);
  const resolved = { ...defaults, ...sampling, seed };
  const unknown = Object.keys(resolved.logitBias).find((id) => Number(id) >= vocabulary);
  if (unknown === undefined) return resolved;
  throw new OptionError("logitBias", `token ${unknown}`, `token ids below ${vocabulary}`);
}

/** Tokens that are not sampled, unless the caller gave one a bias of its own. */
export function withoutTokens(
  sampling: ResolvedSampling,
  tokens: readonly number[],
): ResolvedSampling {
  const never = Object.fromEntries(tokens.map((id) => [id, Number.NEGATIVE_INFINITY]));
  return { ...sampling, logitBias: { ...never, ...sampling.logitBias } };
}
