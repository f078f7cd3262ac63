/** An unbounded queue with one reader: the bridge from the step loop to `for await`. */
export class ChunkQueue<T> implements AsyncIterator<T, undefined> {
  readonly #items: T[] = [];
  readonly #onReturn: () => void;
  #waiting: (() => void) | undefined;
  #end: { readonly error?: unknown } | undefined;

  /** `onReturn` is called when the reader leaves its loop early. */
  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  close(): void {
    this.#end ??= {};
    this.#wake();
  }

  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) return { done: false, value: item };
      if (this.#end !== undefined) {
        if ("error" in this.#end) throw this.#end.error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  #wake(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }
}
