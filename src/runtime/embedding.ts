/** One text being embedded: what is still to be read of it, and the rows that are pooled. The scheduler reads it as a prompt. */
import { HearthError, NotFiniteError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";

/** What an embedding is made of: the mean of the rows of all tokens behind the last norm, or the last token's. */
export interface PoolingSettings {
  readonly pooling: "mean" | "last";
  /** Scaled to length 1. */
  readonly normalize: boolean;
  readonly priority: number;
}

interface Settle {
  readonly resolve: (embedding: Float32Array) => void;
  readonly reject: (error: unknown) => void;
}

export class ActiveEmbedding {
  readonly kind = "embedding";
  readonly readsAll = true;
  readonly prompt: readonly number[];
  readonly priority: number;
  /** [dim]. Rejects with NotFiniteError, or with what the text was failed with. */
  readonly result: Promise<Float32Array>;
  /** An embedding goes on from no token of its own. */
  readonly isAnswering = false;
  readonly #settings: PoolingSettings;
  readonly #settle: Settle;
  #sum = new Float64Array(0);
  #taken: Tokens = 0;
  #pooled: Tokens = 0;
  #isFinished = false;

  constructor(prompt: readonly number[], settings: PoolingSettings) {
    this.prompt = prompt;
    this.priority = settings.priority;
    this.#settings = settings;
    let settle: Settle | undefined;
    this.result = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    if (settle === undefined) throw new Error("a promise runs its executor at once");
    this.#settle = settle;
  }

  get isFinished(): boolean {
    return this.#isFinished;
  }

  get pendingCount(): Tokens {
    return this.prompt.length - this.#taken;
  }

  takePending(): number {
    return this.prompt[this.#taken++] ?? 0;
  }

  /** Rows [count, dim] of the tokens that were taken last, in their order. The last ones end it. */
  acceptRows(rows: Float32Array, count: Tokens): void {
    if (this.#isFinished) return;
    const dim = rows.length / count;
    if (this.#pooled === 0) this.#sum = new Float64Array(dim);
    const isMean = this.#settings.pooling === "mean";
    const first = isMean ? 0 : count - 1;
    if (!isMean) this.#sum.fill(0);
    for (let row = first; row < count; row++) {
      for (let i = 0; i < dim; i++) this.#sum[i] = (this.#sum[i] ?? 0) + (rows[row * dim + i] ?? 0);
    }
    this.#pooled += count;
    if (this.#pooled === this.prompt.length) this.#finish();
  }

  abort(): void {
    this.fail(new HearthError("this embedding was aborted: its engine was closed or opened again"));
  }

  fail(error: unknown): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#settle.reject(error);
    this.result.catch(() => undefined);
  }

  #finish(): void {
    const { pooling, normalize } = this.#settings;
    const sum = this.#sum;
    const length = Math.sqrt(sum.reduce((squares, value) => squares + value * value, 0));
    if (!Number.isFinite(length)) {
      this.fail(new NotFiniteError(this.prompt.length - 1));
      return;
    }
    // A row of zeros has no direction.
    const byLength = length > 0 ? 1 / length : 0;
    const byCount = pooling === "mean" ? 1 / this.prompt.length : 1;
    this.#isFinished = true;
    this.#settle.resolve(
      Float32Array.from(sum, (value) => value * (normalize ? byLength : byCount)),
    );
  }
}
