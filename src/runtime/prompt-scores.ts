/** A prompt whose tokens are reported: how likely the model took each of them to be, read one by one. */
import { finiteLogSumExp, type TokenLogprob, topLogprobs } from "./sampling/logprobs.ts";

/** A token of a prompt, and how likely the model took it to be there. */
export interface PromptToken {
  readonly token: number;
  /** Absent on the first one, which nothing predicts. */
  readonly logprob?: number;
  readonly topLogprobs?: readonly TokenLogprob[];
}

export class PromptScores {
  /** Those that were read or wait to be. */
  readonly tokens: PromptToken[] = [];
  readonly #alternatives: number;
  #prompt: readonly number[] = [];

  constructor(alternatives: number) {
    this.#alternatives = alternatives;
  }

  /** Returns what is to be read first. */
  begin(prompt: readonly number[]): readonly number[] {
    this.#prompt = prompt;
    const first = prompt.slice(0, 1);
    this.tokens.push(...first.map((token) => ({ token })));
    return first;
  }

  /**
   * Takes the logits [vocabulary] of the last token that was read. Returns the next one to read; undefined behind the last,
   * whose logits are those of the answer. @throws NotFiniteError
   */
  accept(logits: Float32Array): number | undefined {
    const position = this.tokens.length;
    const token = this.#prompt[position];
    if (token === undefined) return undefined;
    const logprob = (logits[token] ?? 0) - finiteLogSumExp(logits, position);
    this.tokens.push({ token, logprob, topLogprobs: topLogprobs(logits, this.#alternatives) });
    return token;
  }
}
