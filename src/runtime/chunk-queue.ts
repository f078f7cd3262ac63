/**
 * The bridge from the step loop to `for await`: a queue without a bound of its own, for an answer has one. Calls of `next` that wait at the same time are
 * served in the order of the calls, as an async generator serves them.
 */
interface Waiting<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

export class ChunkQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #items: T[] = [];
  readonly #waiting: Waiting<T>[] = [];
  readonly #onReturn: () => void;
  #end: { readonly error?: unknown } | undefined;

  /** `onReturn` is called when the reader leaves its loop early. */
  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(item: T): void {
    if (this.#end !== undefined) return;
    const first = this.#waiting.shift();
    if (first === undefined) this.#items.push(item);
    else first.resolve({ done: false, value: item });
  }

  close(): void {
    this.#finish({});
  }

  fail(error: unknown): void {
    this.#finish({ error });
  }

  /** The next item. After a failure every call rejects, so that no reader takes it for the end. */
  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      const item = this.#items.shift();
      if (item !== undefined) resolve({ done: false, value: item });
      else if (this.#end === undefined) this.#waiting.push({ resolve, reject });
      else settle({ resolve, reject }, this.#end);
    });
  }

  /** Ends the reading: items that were not read are dropped. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#onReturn();
    this.#finish({});
    this.#end = {};
    this.#items.length = 0;
    return Promise.resolve(ended);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(end: { readonly error?: unknown }): void {
    this.#end ??= end;
    for (const waiting of this.#waiting.splice(0)) settle(waiting, this.#end);
  }
}

const ended: IteratorResult<never, undefined> = { done: true, value: undefined };

function settle<T>({ resolve, reject }: Waiting<T>, end: { readonly error?: unknown }): void {
  if ("error" in end) reject(end.error);
  else resolve(ended);
}
