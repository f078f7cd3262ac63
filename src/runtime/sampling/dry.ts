/**
 * Don't Repeat Yourself: tokens that would make a repetition longer lose more, the longer it is already. The rule is
 * llama.cpp's (llama_sampler_dry_apply of src/llama-sampler.cpp), which has it from KoboldCpp.
 */
import type { Tokens } from "../../core/units.ts";
import type { Candidates } from "./candidates.ts";
import type { ResolvedSampling } from "./sampling-options.ts";
import type { LogitStage } from "./stage.ts";

/** Texts that no repetition reaches across, as tokens: the first token with what follows it, maybe nothing. */
export type SequenceBreakers = ReadonlyMap<number, readonly (readonly number[])[]>;

export type DrySettings = Pick<
  ResolvedSampling,
  "dryMultiplier" | "dryBase" | "dryAllowedLength" | "dryPenaltyLastN"
>;

/** A penalty beyond the floats is infinite; this is the logarithm of the largest of them, as llama.cpp has it. */
const largestLog = 88.7228391;

export class DryStage implements LogitStage {
  readonly needs: number = Number.POSITIVE_INFINITY;
  readonly #settings: DrySettings;
  readonly #breakers: SequenceBreakers;
  /** The last tokens, as a ring. */
  readonly #recent: Int32Array;
  /** By distance from the end: how many tokens up to there are the last tokens too. */
  readonly #repeated: Int32Array;
  /** By token: the longest repetition that it would go on with; all 0 between steps. */
  readonly #longest: Int32Array;
  readonly #maxExponent: number;
  #seen: Tokens = 0;

  constructor(settings: DrySettings, vocabulary: number, breakers: SequenceBreakers) {
    this.#settings = settings;
    this.#breakers = breakers;
    this.#recent = new Int32Array(settings.dryPenaltyLastN);
    this.#repeated = new Int32Array(settings.dryPenaltyLastN);
    this.#longest = new Int32Array(vocabulary);
    const { dryBase } = settings;
    this.#maxExponent = dryBase > 1.000001 ? Math.trunc(largestLog / Math.log(dryBase)) : Infinity;
  }

  accept(token: number): void {
    this.#recent[this.#seen % this.#recent.length] = token;
    this.#seen++;
  }

  apply({ row }: Candidates): void {
    const { dryAllowedLength } = this.#settings;
    const window = Math.min(this.#seen, this.#recent.length);
    if (window <= dryAllowedLength) return;
    const limit = this.#tokensSinceBreaker(window);
    if (limit < dryAllowedLength) return;
    this.#findRepeated(window, limit);
    for (let back = 1; back < window; back++) {
      const length = this.#repeated[back] ?? 0;
      const next = this.#back(back - 1);
      if (length >= dryAllowedLength && length > (this.#longest[next] ?? 0)) {
        this.#longest[next] = length;
      }
    }
    for (let back = 0; back < window - 1; back++) this.#penalise(row, this.#back(back));
  }

  /** The token that was read so many before the last one. */
  #back(distance: number): number {
    return this.#recent[(this.#seen - 1 - distance) % this.#recent.length] ?? 0;
  }

  #tokensSinceBreaker(window: Tokens): Tokens {
    for (let back = 0; back < window; back++) {
      const tails = this.#breakers.get(this.#back(back));
      if (tails === undefined) continue;
      const longest = this.#longestTail(tails, back);
      if (longest >= 0) return back - longest;
    }
    return window;
  }

  /** Length of the longest of these that follows the token at this distance; −1 if none does. */
  #longestTail(tails: readonly (readonly number[])[], back: number): number {
    let longest = -1;
    for (let i = 0; i < tails.length; i++) {
      const tail = tails[i] ?? [];
      if (tail.length <= longest || tail.length > back) continue;
      let matched = 0;
      while (matched < tail.length && tail[matched] === this.#back(back - matched - 1)) matched++;
      if (matched === tail.length) longest = matched;
    }
    return longest;
  }

  /** For each distance the common ending of what was read up to there and of all, at most `limit`: the Z-algorithm, linear. */
  #findRepeated(window: Tokens, limit: Tokens): void {
    const repeated = this.#repeated;
    // What matched so far reaches from `left` to `right`, both distances, `right` not included.
    let left = 0;
    let right = 0;
    for (let back = 1; back < window; back++) {
      const known = back < right ? Math.min(right - back, repeated[back - left] ?? 0) : 0;
      let length = known;
      // A length that was cut at the limit, or ends before `right`, is final.
      if (back + known >= right && known < limit) {
        while (back + length < window && this.#back(length) === this.#back(back + length)) length++;
        left = back;
        right = back + length;
      }
      repeated[back] = Math.min(length, limit);
    }
  }

  #penalise(row: Float32Array, token: number): void {
    const length = this.#longest[token] ?? 0;
    if (length === 0) return;
    this.#longest[token] = 0;
    if (this.#isBreaker(token)) return;
    const { dryMultiplier, dryBase, dryAllowedLength } = this.#settings;
    const exponent = Math.min(length - dryAllowedLength, this.#maxExponent);
    row[token] = (row[token] ?? 0) - dryMultiplier * dryBase ** exponent;
  }

  #isBreaker(token: number): boolean {
    const tails = this.#breakers.get(token);
    if (tails === undefined) return false;
    for (let i = 0; i < tails.length; i++) if (tails[i]?.length === 0) return true;
    return false;
  }
}
