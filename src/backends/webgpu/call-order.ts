/** Keeps calls in their order while one of them waits for kernels to be compiled or weights to come; no call waits otherwise. */
export class CallOrder {
  #last: Promise<unknown> | undefined;

  get isWaiting(): boolean {
    return this.#last !== undefined;
  }

  /** Resolves when every call so far has been submitted. */
  async settled(): Promise<void> {
    while (this.#last !== undefined) await this.#last;
  }

  /** Runs behind all calls that wait; those behind it wait until it has ended. */
  hold<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = (this.#last ?? Promise.resolve()).then(work);
    this.#follow(done);
    return done;
  }

  /**
   * Submits behind all calls that wait, as soon as `ready` has come; what it rejects with, this call does: not before
   * those in front of it, or the next call would overtake them.
   */
  later<Result>(ready: Promise<unknown>, submit: () => Promise<Result>): Promise<Result> {
    const settled = Promise.allSettled([ready, this.#last]);
    const submitted = settled.then(() => ready).then(() => ({ done: submit() }));
    this.#follow(submitted);
    return submitted.then(({ done }) => done);
  }

  /** What is asked for from now on waits for it. */
  #follow(call: Promise<unknown>): void {
    const last: Promise<unknown> = call
      .catch(() => undefined)
      .finally(() => {
        if (this.#last === last) this.#last = undefined;
      });
    this.#last = last;
  }
}
