/** Keeps calls in their order while one of them waits for its kernels to be compiled; no call waits otherwise. */
export class CallOrder {
  #last: Promise<unknown> | undefined;

  get isWaiting(): boolean {
    return this.#last !== undefined;
  }

  /** Resolves when every call so far has been submitted. */
  async settled(): Promise<void> {
    while (this.#last !== undefined) await this.#last;
  }

  /**
   * Submits behind all calls that wait, as soon as `ready` has come; what it rejects with, this call does: not before
   * those in front of it, or the next call would overtake them.
   */
  later<Result>(ready: Promise<unknown>, submit: () => Promise<Result>): Promise<Result> {
    const settled = Promise.allSettled([ready, this.#last]);
    const submitted = settled.then(() => ready).then(() => ({ done: submit() }));
    const last: Promise<unknown> = submitted
      .catch(() => undefined)
      .finally(() => {
        if (this.#last === last) this.#last = undefined;
      });
    this.#last = last;
    return submitted.then(({ done }) => done);
  }
}
