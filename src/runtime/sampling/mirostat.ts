/** Holds the surprise of an answer's tokens near a target. Source: Mirostat (arXiv 2007.14966), as in llama.cpp. */
import type { Candidates } from "./candidates.ts";
import type { ResolvedSampling } from "./sampling-options.ts";
import type { LogitStage } from "./stage.ts";

/** Tokens through which version 1 lays its power law: the paper's m. */
const zipfTokens = 100;

export class MirostatStage implements LogitStage {
  readonly needs: number = Number.POSITIVE_INFINITY;
  readonly #version: ResolvedSampling["mirostat"];
  readonly #tau: number;
  readonly #eta: number;
  readonly #vocabulary: number;
  /** The most surprise that a token may have, in bits. */
  #mu: number;
  /** What the token that is accepted next was drawn from; undefined where it is not drawn. */
  #drawnFrom: Candidates | undefined;

  constructor(
    {
      mirostat,
      mirostatTau,
      mirostatEta,
    }: Pick<ResolvedSampling, "mirostat" | "mirostatTau" | "mirostatEta">,
    vocabulary: number,
  ) {
    this.#version = mirostat;
    this.#tau = mirostatTau;
    this.#eta = mirostatEta;
    this.#vocabulary = vocabulary;
    this.#mu = 2 * mirostatTau;
  }

  apply(candidates: Candidates): void {
    this.#drawnFrom = candidates;
    if (this.#version === 2) candidates.keepSurprise(this.#mu);
    else candidates.keepLargest(this.#mostTokens(candidates.zipfExponent(zipfTokens)));
  }

  accept(token: number): void {
    if (this.#drawnFrom === undefined) return;
    const surprise = -Math.log2(this.#drawnFrom.probabilityOf(token));
    this.#drawnFrom = undefined;
    this.#mu -= this.#eta * (surprise - this.#tau);
  }

  /** How many tokens have a surprise of mu on average, if their probabilities fall by this power of their rank. */
  #mostTokens(exponent: number): number {
    const excess = exponent - 1;
    const sum = (excess * 2 ** this.#mu) / (1 - this.#vocabulary ** -excess);
    const count = Math.trunc(sum ** (1 / exponent));
    return Number.isNaN(count) ? 1 : Math.max(1, count);
  }
}
