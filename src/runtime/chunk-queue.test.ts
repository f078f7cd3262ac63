/** The bridge from the step loop to a reader: order, waiting, both ends. */
import { describe, expect, it } from "vitest";
import { ChunkQueue } from "./chunk-queue.ts";

async function all(queue: ChunkQueue<number>): Promise<readonly number[]> {
  const seen: number[] = [];
  for (;;) {
    const { done, value } = await queue.next();
    if (done) return seen;
    seen.push(value);
  }
}

describe("a chunk queue", () => {
  it("gives items in order to a reader that comes late or waits", async () => {
    const queue = new ChunkQueue<number>(() => {});
    queue.push(1);
    const reading = all(queue);
    queue.push(2);
    await new Promise((resolve) => setImmediate(resolve));
    queue.push(3);
    queue.close();
    expect(await reading).toEqual([1, 2, 3]);
    expect(await queue.next()).toEqual({ done: true, value: undefined });
  });

  it("gives what came before a failure, then fails", async () => {
    const queue = new ChunkQueue<number>(() => {});
    queue.push(1);
    queue.fail(new Error("broken"));
    queue.close();
    expect(await queue.next()).toEqual({ done: false, value: 1 });
    await expect(queue.next()).rejects.toThrow("broken");
  });

  it("wakes a waiting reader when it fails, and keeps the first end", async () => {
    const queue = new ChunkQueue<number>(() => {});
    const reading = queue.next();
    queue.fail(new Error("first"));
    queue.fail(new Error("second"));
    await expect(reading).rejects.toThrow("first");
  });

  it("reports a reader that leaves", async () => {
    let left = 0;
    const queue = new ChunkQueue<number>(() => left++);
    queue.push(1);
    for await (const item of { [Symbol.asyncIterator]: () => queue }) {
      expect(item).toBe(1);
      break;
    }
    expect(left).toBe(1);
  });

  it("serves calls that wait at once in their order, and ends all of them", async () => {
    const queue = new ChunkQueue<number>(() => {});
    const waiting = [queue.next(), queue.next(), queue.next(), queue.next()];
    queue.push(1);
    queue.push(2);
    queue.close();
    expect((await Promise.all(waiting)).map(({ value }) => value)).toEqual([
      1,
      2,
      undefined,
      undefined,
    ]);
  });

  it("fails every call that waits, and every later one", async () => {
    const queue = new ChunkQueue<number>(() => {});
    const waiting = [queue.next(), queue.next()];
    queue.fail(new Error("broken"));
    const outcomes = await Promise.allSettled([...waiting, queue.next()]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  });

  it("gives nothing after a reader has left, and ends a call that waits", async () => {
    const queue = new ChunkQueue<number>(() => {});
    const waiting = queue.next();
    await queue.return();
    queue.push(1);
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await queue.next()).toEqual({ done: true, value: undefined });
  });
});
