/** Stages that change logits by the token's id: biases, and penalties on what was written lately. */
import type { Candidates } from "./candidates.ts";
import type { ResolvedSampling } from "./sampling-options.ts";
import type { LogitStage } from "./stage.ts";

/** Adds to the logits of some tokens; −Infinity forbids one. */
export class BiasStage implements LogitStage {
  readonly needs: number = Number.POSITIVE_INFINITY;
  readonly #ids: readonly number[];
  readonly #biases: readonly number[];

  constructor(biases: Readonly<Record<number, number>>) {
    this.#ids = Object.keys(biases).map(Number);
    this.#biases = Object.values(biases);
  }

  apply({ row }: Candidates): void {
    for (let i = 0; i < this.#ids.length; i++) {
      const id = this.#ids[i] ?? 0;
      row[id] = (row[id] ?? 0) + (this.#biases[i] ?? 0);
    }
  }
}

export type Penalties = Pick<
  ResolvedSampling,
  "repetitionPenalty" | "presencePenalty" | "frequencyPenalty" | "penaltyWindow"
>;

/** Penalties on the tokens of a window, each id once (repetition: CTRL, arXiv 1909.05858). */
export class PenaltyStage implements LogitStage {
  readonly needs: number = Number.POSITIVE_INFINITY;
  readonly #penalties: Penalties;
  readonly #recent: Int32Array;
  readonly #counts: Map<number, number> = new Map();
  #seen = 0;
  #row: Float32Array = new Float32Array(0);

  constructor(penalties: Penalties) {
    this.#penalties = penalties;
    this.#recent = new Int32Array(penalties.penaltyWindow);
  }

  accept(token: number): void {
    const window = this.#recent.length;
    const place = this.#seen % window;
    if (this.#seen >= window) this.#forget(this.#recent[place] ?? 0);
    this.#recent[place] = token;
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
    this.#seen++;
  }

  apply({ row }: Candidates): void {
    this.#row = row;
    this.#counts.forEach(this.#penalise);
  }

  /** Made once: a loop over a map's entries would make a pair of each. */
  readonly #penalise = (count: number, id: number): void => {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.#penalties;
    const logit = this.#row[id] ?? 0;
    const scaled = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    this.#row[id] = scaled - count * frequencyPenalty - presencePenalty;
  };

  #forget(token: number): void {
    const count = this.#counts.get(token) ?? 0;
    if (count <= 1) this.#counts.delete(token);
    else this.#counts.set(token, count - 1);
  }
}
