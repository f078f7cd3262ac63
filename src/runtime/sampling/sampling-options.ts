/** How the next token of an answer is chosen: what a caller may say of it, the defaults, and the rules that judge values. */
import {
  checkOptions,
  countRule,
  describeValue,
  isNumber,
  isPlainObject,
  numberRule,
  type OptionRule,
  type OptionRules,
  shareRule,
  textListRule,
  textRule,
} from "../../core/check-options.ts";
import { OptionError } from "../../core/errors.ts";
import type { Tokens } from "../../core/units.ts";

/**
 * By token id, or as a list of pairs whose first may be a text (each of its tokens is meant, control tokens by their names):
 * a number is added to the logit; −Infinity or false forbids the token. Biases of one token add up.
 */
export type LogitBias =
  | Readonly<Record<number, number | false>>
  | readonly (readonly [number | string, number | false])[];

/**
 * Defaults and order are llama.cpp's: bias, penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, XTC, temperature.
 * `temperature` 0 is greedy and ignores the filters (all behind DRY), not what comes before them.
 */
export interface SamplingOptions {
  readonly temperature?: number;
  /** The temperature goes this far down where the model is certain and up where it is not (by entropy); 0 is off. Default 0. */
  readonly dynatempRange?: number;
  /** How the entropy's share of its maximum bends: its power. Default 1. */
  readonly dynatempExponent?: number;
  /** Keep the k likeliest; 0 keeps all. Default 40. */
  readonly topK?: number;
  /** Keep the smallest set whose probability reaches p; 1 keeps all. Default 0.95. */
  readonly topP?: number;
  /** Keep tokens at least p times as likely as the likeliest; 0 keeps all. Default 0.05. */
  readonly minP?: number;
  /** Locally typical sampling (Meister et al., 2022); 1 keeps all. Default 1. */
  readonly typicalP?: number;
  /** Keep tokens whose logit is at most this many standard deviations below the largest; 0 keeps all. Default 0. */
  readonly topNSigma?: number;
  /** Exclude Top Choices: how likely a step leaves out all but the last of the tokens that reach `xtcThreshold`; 0 is off. Default 0. */
  readonly xtcProbability?: number;
  /** Above one half nothing is left out. Default 0.1. */
  readonly xtcThreshold?: number;
  /** 1 or 2: hold the surprise of tokens near `mirostatTau` (arXiv 2007.14966), instead of all other filters; 0 is off. Default 0. */
  readonly mirostat?: 0 | 1 | 2;
  /** The surprise that is aimed at, in bits. Default 5. */
  readonly mirostatTau?: number;
  /** How fast it learns. Default 0.1. */
  readonly mirostatEta?: number;
  /** Divides positive logits of recent tokens and multiplies negative ones (CTRL); 1 is off. Default 1. */
  readonly repetitionPenalty?: number;
  /** Subtracted once from a recent token's logit. Default 0. */
  readonly presencePenalty?: number;
  /** Subtracted for each recent occurrence. Default 0. */
  readonly frequencyPenalty?: number;
  /** How many tokens back the penalties look. Default 64. */
  readonly penaltyWindow?: number;
  /**
   * Don't Repeat Yourself: a token that would make a repetition of n tokens one longer loses
   * `dryMultiplier · dryBase ^ (n − dryAllowedLength)`; 0 is off. Default 0.
   */
  readonly dryMultiplier?: number;
  /** Default 1.75; below 1 DRY is off. */
  readonly dryBase?: number;
  /** Repetitions shorter than this are allowed. Default 2. */
  readonly dryAllowedLength?: Tokens;
  /** How many tokens back repetitions are looked for. Default 64. */
  readonly dryPenaltyLastN?: Tokens;
  /** No repetition reaches across these texts. Default line break, ":", '"' and "*". */
  readonly drySequenceBreakers?: readonly string[];
  readonly logitBias?: LogitBias;
  /** Default: a fresh one, reported in the result. */
  readonly seed?: number;
}

export type ResolvedSampling = Required<Omit<SamplingOptions, "logitBias">> & {
  readonly logitBias: Readonly<Record<number, number>>;
};

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
  dynatempRange: 0,
  dynatempExponent: 1,
  topNSigma: 0,
  xtcProbability: 0,
  xtcThreshold: 0.1,
  mirostat: 0,
  mirostatTau: 5,
  mirostatEta: 0.1,
  dryMultiplier: 0,
  dryBase: 1.75,
  dryAllowedLength: 2,
  dryPenaltyLastN: 64,
  drySequenceBreakers: ["\n", ":", '"', "*"],
  logitBias: {},
};

/** The window is an array; no context is longer. */
const maxPenaltyWindow = 1 << 24;

const positiveRule: OptionRule = {
  expected: "a number > 0",
  accepts: (value) => numberRule.accepts(value) && isNumber(value) && value > 0,
};

const amountRule: OptionRule = {
  expected: "a number of at least 0",
  accepts: (value) => numberRule.accepts(value) && isNumber(value) && value >= 0,
};

const isBias = (value: unknown): boolean =>
  value === false || (isNumber(value) && value < Number.POSITIVE_INFINITY);

const isToken = (value: unknown): boolean => countRule(0).accepts(value);

const biasRule: OptionRule = {
  expected:
    "an object of token ids with a number, −Infinity or false each, or a list of [id or text, number or false]",
  accepts: (value) =>
    Array.isArray(value)
      ? value.every(
          (pair: unknown) =>
            Array.isArray(pair) &&
            pair.length === 2 &&
            (isToken(pair[0]) || textRule.accepts(pair[0])) &&
            isBias(pair[1]),
        )
      : isPlainObject(value) &&
        Object.entries(value).every(([id, bias]) => isToken(Number(id)) && isBias(bias)),
};

export const samplingRules: OptionRules<SamplingOptions> = {
  temperature: amountRule,
  dynatempRange: amountRule,
  dynatempExponent: amountRule,
  topNSigma: amountRule,
  xtcProbability: shareRule,
  xtcThreshold: shareRule,
  mirostat: { expected: "0, 1 or 2", accepts: (value) => countRule(0, 2).accepts(value) },
  mirostatTau: amountRule,
  mirostatEta: amountRule,
  topK: countRule(0),
  topP: shareRule,
  minP: shareRule,
  typicalP: shareRule,
  repetitionPenalty: positiveRule,
  presencePenalty: numberRule,
  frequencyPenalty: numberRule,
  penaltyWindow: countRule(0, maxPenaltyWindow),
  dryMultiplier: amountRule,
  dryBase: amountRule,
  dryAllowedLength: countRule(0),
  dryPenaltyLastN: countRule(0, maxPenaltyWindow),
  drySequenceBreakers: textListRule,
  logitBias: biasRule,
  seed: countRule(0, 2 ** 32 - 1),
};

/**
 * Fills in defaults. `encode` finds the tokens of texts in `logitBias`. @throws OptionError naming the option. Other options
 * are left alone.
 */
export function resolveSampling(
  options: SamplingOptions,
  vocabulary: number,
  encode?: (text: string) => readonly number[],
): ResolvedSampling {
  const given = Object.entries(options).filter(
    ([name, value]) => value !== undefined && Object.hasOwn(samplingRules, name),
  );
  const sampling: SamplingOptions = Object.fromEntries(given);
  checkOptions(sampling, samplingRules, "sampling");
  const seed = sampling.seed ?? Math.floor(Math.random() * 0x1_0000_0000);
  const logitBias = biasByToken(sampling.logitBias ?? {}, encode);
  const unknown = Object.keys(logitBias).find((id) => Number(id) >= vocabulary);
  if (unknown === undefined) return { ...defaults, ...sampling, seed, logitBias };
  throw new OptionError("logitBias", `token ${unknown}`, `token ids below ${vocabulary}`);
}

function biasByToken(
  logitBias: LogitBias,
  encode: ((text: string) => readonly number[]) | undefined,
): Readonly<Record<number, number>> {
  const byToken: Record<number, number> = {};
  for (const [token, bias] of isList(logitBias) ? logitBias : Object.entries(logitBias)) {
    const isText = typeof token === "string" && isList(logitBias);
    if (isText && encode === undefined) {
      throw new OptionError("logitBias", describeValue(token), "token ids, without a tokenizer");
    }
    for (const id of isText && encode ? encode(token) : [Number(token)]) {
      byToken[id] = (byToken[id] ?? 0) + (bias === false ? Number.NEGATIVE_INFINITY : bias);
    }
  }
  return byToken;
}

function isList(logitBias: LogitBias): logitBias is Extract<LogitBias, readonly unknown[]> {
  return Array.isArray(logitBias);
}

/** Tokens that are not sampled, unless the caller gave one a bias of its own. */
export function withoutTokens(
  sampling: ResolvedSampling,
  tokens: readonly number[],
): ResolvedSampling {
  const never = Object.fromEntries(tokens.map((id) => [id, Number.NEGATIVE_INFINITY]));
  return { ...sampling, logitBias: { ...never, ...sampling.logitBias } };
}
