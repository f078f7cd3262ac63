/** The queue for a sequence: its order, its bound, the places that it reports, and answers that leave it early. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { answering } from "../../test/fixtures/scripted-answer.ts";
import { outputSlots, scriptedModel } from "../../test/fixtures/scripted-model.ts";
import { LimitError, QueueFullError } from "../core/errors.ts";
import type { ActiveGeneration } from "./generation.ts";
import { Scheduler, type SchedulerOptions } from "./scheduler.ts";
import { Session } from "./session.ts";
import { mostOvertaken, WaitingQueue } from "./waiting-queue.ts";

async function schedule(
  options: SchedulerOptions & Parameters<typeof scriptedModel>[0] = {},
): Promise<Scheduler> {
  const { backend, program } = scriptedModel({ sequences: 1, ...options });
  return new Scheduler(await Session.open(backend, program, outputSlots), options);
}

function orderOf(queue: WaitingQueue): readonly number[] {
  return queue.takeAll().map(({ prompt }) => prompt[0] ?? -1);
}

describe("a queue", () => {
  it("is in the order of coming, those of a higher priority first", () => {
    const queue = new WaitingQueue();
    for (const [token, priority] of [0, 1, 0, 2, 1, -1].entries()) {
      queue.add(answering([token], { priority }));
    }
    expect(queue.length).toBe(6);
    expect(orderOf(queue)).toEqual([3, 1, 4, 0, 2, 5]);
    expect(queue.length).toBe(0);
  });

  it("lets nobody be overtaken for ever", () => {
    const queue = new WaitingQueue();
    const patient = answering([1]);
    queue.add(patient);
    for (let i = 0; i < mostOvertaken + 10; i++) queue.add(answering([2], { priority: 9 }));
    expect(orderOf(queue).indexOf(1)).toBe(mostOvertaken);
  });

  it("is left by an answer that is aborted, and the places behind it move up", async () => {
    const queue = new WaitingQueue();
    const all = [1, 2, 3].map((token) => answering([token]));
    for (const generation of all) queue.add(generation);
    queue.reportPlaces();
    const places = (): readonly number[] => all.map(({ queuePlace }) => queuePlace);
    expect(places()).toEqual([1, 2, 3]);
    all[0]?.finish("abort");
    await all[0]?.result;
    queue.reportPlaces();
    expect(places()).toEqual([0, 1, 2]);
    expect(orderOf(queue)).toEqual([2, 3]);
  });
});

describe("an answer that must wait", () => {
  it("is told its place, each change of it, and its turn; one that need not wait is told nothing", async () => {
    const scheduler = await schedule();
    const seen: string[] = [];
    const watched = (token: number): ActiveGeneration =>
      answering([token], { maxTokens: 2, onQueued: (place) => seen.push(`${token}: ${place}`) });
    const all = [watched(1), watched(5), watched(9)];
    for (const generation of all) scheduler.submit(generation);
    expect(scheduler.activity).toMatchObject({ running: 1, waiting: 2, expectedWait: undefined });
    await Promise.all(all.map(({ result }) => result));
    expect(seen).toEqual(["5: 1", "9: 2", "5: 0", "9: 1", "9: 0"]);
    expect(scheduler.activity).toMatchObject({ running: 0, waiting: 0, expectedWait: 0 });
  });

  it("fails alone when its callback throws, and frees its place", async () => {
    const scheduler = await schedule();
    const trouble = new Error("no such place");
    const failing = answering([5], {
      onQueued: () => {
        throw trouble;
      },
    });
    const [first, last] = [answering([1]), answering([9])];
    for (const generation of [first, failing, last]) scheduler.submit(generation);
    await expect(failing.result).rejects.toBe(trouble);
    expect((await last.result).tokens).toEqual([10, 11, 12]);
    expect((await first.result).tokens).toEqual([2, 3, 4]);
  });

  it("comes before those of a lower priority", async () => {
    const scheduler = await schedule();
    const order: number[] = [];
    const all = [0, 0, 5].map((priority, i) => answering([i], { priority, maxTokens: 1 }));
    for (const generation of all) {
      scheduler.submit(generation);
      void generation.result.then(({ tokens: [token] }) => order.push(token ?? -1));
    }
    await Promise.all(all.map(({ result }) => result));
    // The first one had its sequence already.
    expect(order).toEqual([1, 3, 2]);
  });
});

describe("a full queue", () => {
  it("refuses one more by an error of its own, with the wait that is expected", async () => {
    const scheduler = await schedule({ maxQueue: 1 });
    const before = answering([3]);
    scheduler.submit(before);
    await before.result;
    // Its place is free at once; how long it ran is known when the step is over.
    expect(scheduler.activity).toMatchObject({ running: 0, waiting: 0, expectedWait: 0 });
    await nextTurn();
    const all = [1, 5, 9].map((token) => answering([token]));
    for (const generation of all) scheduler.submit(generation);
    const refused: unknown = await all[2]?.result.catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(QueueFullError);
    expect(refused).toMatchObject({ waiting: 1, expectedWait: expect.any(Number) });
    expect((await all[1]?.result)?.tokens).toEqual([6, 7, 8]);
  });

  it("has room again when one of those that wait is aborted", async () => {
    const scheduler = await schedule({ maxQueue: 1 });
    const [running, waiting, next] = [answering([1]), answering([5]), answering([9])];
    scheduler.submit(running);
    scheduler.submit(waiting);
    waiting.finish("abort");
    await waiting.result;
    scheduler.submit(next);
    expect((await next.result).tokens).toEqual([10, 11, 12]);
    expect((await running.result).tokens).toEqual([2, 3, 4]);
  });

  it("of no places takes on what has a sequence", async () => {
    const scheduler = await schedule({ maxQueue: 0, sequences: 2 });
    const all = [1, 5, 9].map((token) => answering([token]));
    for (const generation of all) scheduler.submit(generation);
    await expect(all[2]?.result).rejects.toThrow("the queue is full: 0 answers wait");
    expect((await all[1]?.result)?.tokens).toEqual([6, 7, 8]);
  });

  it("is not asked about a prompt that the context has no room for", async () => {
    const scheduler = await schedule({ maxQueue: 0, contextLength: 2 });
    const [running, tooLong] = [answering([1], { maxTokens: 1 }), answering([1, 2, 3])];
    scheduler.submit(running);
    scheduler.submit(tooLong);
    await expect(tooLong.result).rejects.toThrow(LimitError);
    await running.result;
  });
});
