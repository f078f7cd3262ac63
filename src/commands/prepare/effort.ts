/**
 * How far the training of predictors is: passes over the rows, each weighted by its cost. How many passes a layer takes
 * shows only at its end; until then it is taken to need what the layers before it needed.
 */

/** Sizes that the layers of the bundled model took, two each. */
const usualSizes = 2;
/** A layer that needs more than expected is taken to be nearly there: this share of what it took is left. */
const minLeft = 1 / 8;
/** The derivative of a logit costs this many multiply-adds: 10 ns against 0.05 ns, measured on a Zen 4 core. */
const costOfLogit = 200;

export interface EffortShape {
  readonly layers: number;
  readonly dim: number;
  /** The most passes with one size. */
  readonly epochs: number;
}

export class TrainingEffort {
  readonly #shape: EffortShape;
  readonly #onProgress: (done: number, total: number) => void;
  /** Cost of each finished layer. */
  readonly #finished: number[] = [];
  #running = 0;

  constructor(shape: EffortShape, onProgress: (done: number, total: number) => void) {
    this.#shape = shape;
    this.#onProgress = onProgress;
  }

  /** A pass with a predictor of this size, for a layer of `neurons`, is over. */
  pass(rank: number, neurons: number): void {
    const { dim, epochs } = this.#shape;
    const cost = costOfLogit * neurons + 3 * rank * (dim + neurons);
    this.#running += cost;
    this.#report(this.#usual() ?? usualSizes * epochs * cost);
  }

  finishLayer(): void {
    this.#finished.push(this.#running);
    this.#running = 0;
    this.#report(this.#usual() ?? 0);
  }

  #report(usual: number): void {
    const layersAfter = this.#shape.layers - this.#finished.length - (this.#running > 0 ? 1 : 0);
    const left = this.#running > 0 ? Math.max(usual - this.#running, minLeft * this.#running) : 0;
    const done = sumOf(this.#finished) + this.#running;
    this.#onProgress(done, done + left + layersAfter * usual);
  }

  #usual(): number | undefined {
    const { length } = this.#finished;
    return length === 0 ? undefined : sumOf(this.#finished) / length;
  }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
