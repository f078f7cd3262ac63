/**
 * From logits to a token: penalties and bias, then top-k, typical, top-p, min-p, temperature, in llama.cpp's order.
 * One sampler belongs to one generation; its buffers are made once. Same seed and same logits, same tokens.
 */

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
import { indexOfLargest } from "../../core/numbers.ts";
import { createRandom, type Random } from "../../core/random.ts";
import { Candidates } from "./candidates.ts";

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

export class Sampler {
  readonly options: ResolvedSampling;
  readonly #random: Random;
  readonly #candidates: Candidates;
  readonly #bias: readonly (readonly [number, number])[];
  readonly #recent: Int32Array;
  readonly #counts: Map<number, number> = new Map();
  #seen = 0;

  constructor(options: ResolvedSampling, vocabulary: number) {
    this.options = options;
    this.#random = createRandom(options.seed);
    this.#candidates = new Candidates(vocabulary);
    this.#bias = Object.entries(options.logitBias).map(([id, bias]) => [Number(id), bias]);
    this.#recent = new Int32Array(options.penaltyWindow);
  }

  /** How many of the largest logits decide, whatever was observed: 1 when greedy, Infinity where all of them count. */
  get decidingLogits(): number {
    const { temperature, topK } = this.options;
    if (this.#changesLogits) return Number.POSITIVE_INFINITY;
    if (temperature === 0) return 1;
    return topK === 0 ? Number.POSITIVE_INFINITY : topK;
  }

  /** Counts a token of the prompt or of the completion, for the penalties. */
  observe(token: number): void {
    const window = this.#recent.length;
    if (window === 0) return;
    const place = this.#seen % window;
    if (this.#seen >= window) this.#forget(this.#recent[place] ?? 0);
    this.#recent[place] = token;
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
    this.#seen++;
  }

  /**
   * Chooses a token; undefined where a logit is NaN or the largest infinite. `logits` [vocabulary] is changed in place
   * by penalties and bias. @throws OptionError when these leave nothing to choose.
   */
  sample(logits: Float32Array): number | undefined {
    if (!this.#changesLogits) return this.#choose(logits);
    if (indexOfLargest(logits) === undefined) return undefined;
    this.#penalise(logits);
    const token = this.#choose(logits);
    if (token !== undefined) return token;
    throw new OptionError(
      "logitBias",
      "what it and the penalties make of the logits",
      "a largest one that is finite",
    );
  }

  /** The same token from (id, logit) pairs of at least the `decidingLogits` largest, sorted; ties by the lower id. */
  sampleLargest(pairs: Float32Array): number | undefined {
    const { temperature, topK } = this.options;
    if (temperature === 0) return Number.isFinite(pairs[1]) ? pairs[0] : undefined;
    this.#candidates.loadSorted(pairs, topK);
    return this.#draw();
  }

  get #changesLogits(): boolean {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.options;
    const hasPenalties = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
    return hasPenalties || this.#bias.length > 0;
  }

  #choose(logits: Float32Array): number | undefined {
    const { temperature, topK } = this.options;
    if (temperature === 0) return indexOfLargest(logits);
    this.#candidates.load(logits, topK);
    return this.#draw();
  }

  #draw(): number | undefined {
    const { temperature, topP, minP, typicalP } = this.options;
    const candidates = this.#candidates;
    if (!Number.isFinite(candidates.largest)) return undefined;
    candidates.keepTypical(typicalP);
    candidates.keepTopP(topP);
    candidates.keepMinP(minP);
    return candidates.draw(temperature, this.#random.uniform());
  }

  #forget(token: number): void {
    const count = this.#counts.get(token) ?? 0;
    if (count <= 1) this.#counts.delete(token);
    else this.#counts.set(token, count - 1);
  }

  #penalise(logits: Float32Array): void {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.options;
    for (const [id, bias] of this.#bias) logits[id] = (logits[id] ?? 0) + bias;
    if (repetitionPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0) return;
    for (const [id, count] of this.#counts) {
      const logit = logits[id] ?? 0;
      const scaled = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      logits[id] = scaled - count * frequencyPenalty - presencePenalty;
    }
  }
}
