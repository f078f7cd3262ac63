/**
 * From logits to a token: the mask of a promised form, then a list of stages in llama.cpp's order, then the likeliest token
 * or a draw. One sampler belongs to one answer; its buffers are made once. Same seed and same logits, same tokens.
 */
import { HearthError, OptionError } from "../../core/errors.ts";
import { indexOfLargest } from "../../core/numbers.ts";
import { createRandom, type Random } from "../../core/random.ts";
import { Candidates } from "./candidates.ts";
import { maskWords, type TokenConstraint } from "./constraint.ts";
import type { SequenceBreakers } from "./dry.ts";
import type { ResolvedSampling } from "./sampling-options.ts";
import type { LogitStage } from "./stage.ts";
import { changesOf, filtersOf } from "./stages.ts";
import { certainScores, type TokenScores } from "./token-scores.ts";

export interface SamplerExtra {
  /** The form that the answer keeps to. */
  readonly constraint?: TokenConstraint | undefined;
  /** For DRY; none by default. */
  readonly sequenceBreakers?: SequenceBreakers | undefined;
}

const noTokens: readonly number[] = [];

export class Sampler {
  /** Stages that work on the logits of all tokens, by id. */
  readonly #changes: readonly LogitStage[];
  /** Stages that work on the race, by likelihood. None for a greedy answer. */
  readonly #filters: readonly LogitStage[];
  readonly #isGreedy: boolean;
  readonly #random: Random;
  readonly #candidates: Candidates;
  readonly #constraint: TokenConstraint | undefined;
  readonly #mask: Uint32Array;

  constructor(options: ResolvedSampling, vocabulary: number, extra: SamplerExtra = {}) {
    const { constraint, sequenceBreakers = new Map() } = extra;
    this.#isGreedy = options.temperature === 0;
    this.#random = createRandom(options.seed);
    this.#changes = changesOf(options, vocabulary, sequenceBreakers);
    this.#filters = filtersOf(options, vocabulary, this.#random);
    const { needs = vocabulary } = this.#filters[0] ?? {};
    this.#candidates = new Candidates(this.#isGreedy ? 1 : Math.min(needs, vocabulary));
    this.#constraint = constraint;
    this.#mask = new Uint32Array(constraint === undefined ? 0 : maskWords(vocabulary));
  }

  /** How many of the largest logits decide, whatever was observed: 1 when greedy, Infinity where all of them count. */
  get decidingLogits(): number {
    if (this.#constraint !== undefined) return Number.POSITIVE_INFINITY;
    const first = this.#changes[0] ?? this.#filters[0];
    return first?.needs ?? (this.#isGreedy ? 1 : Number.POSITIVE_INFINITY);
  }

  /** Whether the promised form is complete, and nothing may follow. */
  get isDone(): boolean {
    return this.#constraint?.isDone ?? false;
  }

  /** The tokens that must come next and need no sampling. */
  forced(): readonly number[] {
    return this.#constraint?.forced() ?? noTokens;
  }

  /** Notes a token of the prompt. */
  observe(token: number): void {
    for (const stage of this.#changes) stage.accept?.(token);
    for (const stage of this.#filters) stage.accept?.(token);
  }

  /** Goes on by the token that was chosen, which is no end token. */
  accept(token: number): void {
    if (this.#constraint?.accept(token) === false) {
      throw new HearthError(`token ${token} was chosen, which the promised form does not allow`);
    }
    this.observe(token);
  }

  /**
   * Chooses a token; undefined where a logit is NaN or the largest infinite. `logits` [vocabulary] is changed in place.
   * @throws HearthError where the promised form allows no token, OptionError where biases and penalties leave none of it.
   */
  sample(logits: Float32Array): number | undefined {
    this.#candidates.load(logits);
    if (this.#constraint === undefined && this.#changes.length === 0) return this.#choose();
    if (indexOfLargest(logits) === undefined) return undefined;
    this.#keepToForm(logits);
    for (const stage of this.#changes) stage.apply(this.#candidates);
    const token = this.#choose();
    if (token !== undefined) return token;
    throw new OptionError(
      "logitBias",
      "what it and the penalties make of the logits",
      "a largest one that is finite",
    );
  }

  /** The same token from (id, logit) pairs of at least the `decidingLogits` largest, sorted; ties by the lower id. */
  sampleLargest(pairs: Float32Array): number | undefined {
    this.#candidates.loadSorted(pairs);
    return this.#choose();
  }

  /** Of the token that was chosen last, and of the `count` likeliest, what they had in the draw; none of those without a chance. */
  drawn(token: number, count: number): TokenScores {
    if (this.#isGreedy) return certainScores(token, count);
    const topLogprobs = this.#candidates.likeliest(count);
    return { logprob: Math.log(this.#candidates.probabilityOf(token)), topLogprobs };
  }

  #keepToForm(logits: Float32Array): void {
    if (this.#constraint === undefined) return;
    this.#constraint.mask(this.#mask);
    this.#candidates.keepMasked(this.#mask);
    if (indexOfLargest(logits) !== undefined) return;
    throw new HearthError("no token of this vocabulary goes on in the form that was asked for");
  }

  #choose(): number | undefined {
    const candidates = this.#candidates;
    if (this.#isGreedy) return candidates.best;
    for (const stage of this.#filters) stage.apply(candidates);
    candidates.sort();
    return candidates.isSound ? candidates.draw(this.#random.uniform()) : undefined;
  }
}
