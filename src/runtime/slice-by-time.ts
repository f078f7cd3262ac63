/**
 * How many tokens of prompts a step reads beside answers, by how long the steps before it took: those who read answers see
 * them go on at half their speed or better, and whoever waits for a prompt has at least half of the machine. It decides
 * how a prompt is cut, never what its tokens are: beside nothing else no prompt is cut by it.
 */
import type { Milliseconds, Tokens } from "../core/units.ts";
import type { Policy, RanStep } from "./share-out.ts";

/** A step of no more than this stalls nobody: 25 tokens a second are faster than anyone reads. */
const unnoticed: Milliseconds = 40;
/** Rows that cost little more than one: weights are read once for them (measurements/server.md). */
const fewest: Tokens = 8;
/** How far a step moves what was learnt before: the last five or so count. */
const newestWeight = 0.2;

export class SliceByTime implements Policy {
  readonly #most: Tokens;
  /** Of a step of answers alone. */
  #answers: Milliseconds | undefined;
  /** Of a prompt's row. */
  #row: Milliseconds | undefined;

  /** `most`: rows of a whole step. */
  constructor(most: Tokens) {
    this.#most = most;
  }

  get slice(): Tokens {
    if (this.#row === undefined) return this.#most;
    const answers = this.#answers ?? 0;
    const time = Math.max(answers, unnoticed - answers);
    return Math.max(
      Math.min(Math.floor(time / this.#row), this.#most),
      Math.min(fewest, this.#most),
    );
  }

  noteStep({ answers, prompts, took }: RanStep): void {
    if (prompts === 0) {
      if (answers > 0) this.#answers = moved(this.#answers, took);
      return;
    }
    // A few rows say little about the others: most of their time goes into reading the weights.
    if (prompts < fewest) return;
    const beside = answers > 0 ? (this.#answers ?? 0) : 0;
    if (took > beside) this.#row = moved(this.#row, (took - beside) / prompts);
  }
}

function moved(mean: Milliseconds | undefined, newest: Milliseconds): Milliseconds {
  return mean === undefined ? newest : mean + newestWeight * (newest - mean);
}
