/** Several sources as one, each item when it comes. */

/** Ends when all have ended. The first error ends it; then, or when its reader leaves, the other sources are ended too. */
export async function* mergeEvents<Item>(
  sources: readonly AsyncGenerator<Item>[],
): AsyncGenerator<Item> {
  const [only, ...others] = sources;
  if (only !== undefined && others.length === 0) {
    yield* only;
    return;
  }
  const waiting = new Map(sources.map((source) => [source, pull(source)]));
  try {
    while (waiting.size > 0) {
      const { source, next } = await Promise.race(waiting.values());
      if (next.done) {
        waiting.delete(source);
        continue;
      }
      waiting.set(source, pull(source));
      yield next.value;
    }
  } finally {
    for (const [source, promise] of waiting) {
      promise.catch(() => undefined);
      source.return(undefined).catch(() => undefined);
    }
  }
}

interface Pulled<Item> {
  readonly source: AsyncGenerator<Item>;
  readonly next: IteratorResult<Item>;
}

async function pull<Item>(source: AsyncGenerator<Item>): Promise<Pulled<Item>> {
  return { source, next: await source.next() };
}
