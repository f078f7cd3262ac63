/**
 * The predictor as it is trained: logits = fc2·relu(fc1·x), without biases (PowerInfer §5.1), binary cross-entropy
 * per neuron, AdamW. Matrix products are the caller's.
 */
import type { MultiplyMatrices } from "../../core/matrix-product.ts";
import { createRandom } from "../../core/random.ts";
import { type AdamSettings, createTrained, descend, type Trained } from "./train-adam.ts";

export interface NetworkShape {
  readonly dim: number;
  readonly rank: number;
  readonly neurons: number;
}

export class PredictorNetwork {
  readonly shape: NetworkShape;
  readonly #multiply: MultiplyMatrices;
  readonly #fc1: Trained; // [rank, dim]
  readonly #fc2: Trained; // [neurons, rank]
  readonly #hidden: Float32Array; // [most rows, rank]
  readonly #logits: Float32Array; // [most rows, neurons]
  readonly #hiddenGradient: Float32Array; // [most rows, rank]
  #step = 0;

  /** `batch`: the most rows of a training step or of one call of `logits`. Weights by He et al. (2015), seeded. */
  constructor(
    shape: NetworkShape,
    options: { readonly multiply: MultiplyMatrices; readonly batch: number; readonly seed: number },
  ) {
    const { dim, rank, neurons } = shape;
    const { multiply, batch, seed } = options;
    this.shape = shape;
    this.#multiply = multiply;
    this.#fc1 = createTrained(randomWeights(rank * dim, Math.sqrt(2 / dim), seed));
    this.#fc2 = createTrained(randomWeights(neurons * rank, Math.sqrt(0.01 / rank), seed + 1));
    this.#hidden = new Float32Array(batch * rank);
    this.#logits = new Float32Array(batch * neurons);
    this.#hiddenGradient = new Float32Array(batch * rank);
  }

  get fc1(): Float32Array {
    return this.#fc1.weights;
  }

  get fc2(): Float32Array {
    return this.#fc2.weights;
  }

  /** Of rows x [count, dim]: a view [count, neurons], valid until the next call. */
  async logits(x: Float32Array, count: number): Promise<Float32Array> {
    const { dim, rank, neurons } = this.shape;
    const hidden = this.#hidden.subarray(0, count * rank);
    const logits = this.#logits.subarray(0, count * neurons);
    const forward = { rows: count, transposed: "b" } as const;
    await this.#multiply({ ...forward, columns: rank, depth: dim, a: x, b: this.fc1, c: hidden });
    for (let i = 0; i < hidden.length; i++) hidden[i] = Math.max(0, hidden[i] ?? 0);
    await this.#multiply({
      ...forward,
      columns: neurons,
      depth: rank,
      a: hidden,
      b: this.fc2,
      c: logits,
    });
    return logits;
  }

  /**
   * One step over rows x [count, dim]; `turnIntoErrors` gets their logits and makes them the loss's derivatives.
   */
  async train(
    rows: { readonly x: Float32Array; readonly count: number },
    turnIntoErrors: (logits: Float32Array) => void,
    adam: AdamSettings,
  ): Promise<void> {
    const { x, count } = rows;
    const { dim, rank, neurons } = this.shape;
    const errors = await this.logits(x, count);
    turnIntoErrors(errors);
    const hidden = this.#hidden.subarray(0, count * rank);
    const back = this.#hiddenGradient.subarray(0, count * rank);
    await this.#multiply({
      rows: neurons,
      columns: rank,
      depth: count,
      transposed: "a",
      a: errors,
      b: hidden,
      c: this.#fc2.gradient,
    });
    await this.#multiply({
      rows: count,
      columns: rank,
      depth: neurons,
      a: errors,
      b: this.fc2,
      c: back,
    });
    for (let i = 0; i < back.length; i++) if ((hidden[i] ?? 0) <= 0) back[i] = 0;
    await this.#multiply({
      rows: rank,
      columns: dim,
      depth: count,
      transposed: "a",
      a: back,
      b: x,
      c: this.#fc1.gradient,
    });
    this.#step++;
    descend(this.#fc1, adam, this.#step);
    descend(this.#fc2, adam, this.#step);
  }
}

function randomWeights(count: number, deviation: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => deviation * random.normal());
}
