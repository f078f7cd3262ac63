/** How the step loop shares out steps: the order of rows, the queue, and the errors that end one answer or all; no model. */
import { describe, expect, it } from "vitest";
import { answering } from "../../test/fixtures/scripted-answer.ts";
import {
  outputSlots,
  type ScriptedModel,
  scriptedModel,
  vocabulary,
} from "../../test/fixtures/scripted-model.ts";
import { LimitError, NotFiniteError } from "../core/errors.ts";
import { Scheduler } from "./scheduler.ts";
import { Session } from "./session.ts";

async function schedule(model: ScriptedModel): Promise<Scheduler> {
  return new Scheduler(await Session.open(model.backend, model.program, outputSlots));
}

function range(count: number, from = 0): readonly number[] {
  return Array.from({ length: count }, (_, i) => (from + i) % vocabulary);
}

const rowsOf = (model: ScriptedModel): readonly (readonly string[])[] =>
  model.steps.map(({ rows }) => rows);

describe("a step", () => {
  it("has a row of every answer first, and reads a long prompt in the rows left over", async () => {
    const model = scriptedModel({ maxRows: 4 });
    const scheduler = await schedule(model);
    const first = answering([1], { maxTokens: 5 });
    const second = answering(range(8, 2), { maxTokens: 1 });
    scheduler.submit(first);
    scheduler.submit(second);
    expect((await first.result).tokens).toEqual([2, 3, 4, 5, 6]);
    expect((await second.result).tokens).toEqual([10]);
    expect(rowsOf(model)).toEqual([
      ["0@0:1"],
      ["1@0:2", "0@1:2", "1@1:3", "2@1:4"],
      ["2@0:3", "3@1:5", "4@1:6", "5@1:7"],
      ["3@0:4", "6@1:8", "7@1:9"],
      ["4@0:5"],
    ]);
    expect(model.steps.map(({ answers, outputRows }) => [answers, outputRows])).toEqual([
      [0, [0]],
      [1, [0]],
      [1, [0]],
      [1, [0, 2]],
      [1, [0]],
    ]);
  });

  it("gives half of its rows to the oldest prompt, the rest to the shortest", async () => {
    const model = scriptedModel({ maxRows: 3, sequences: 3 });
    const scheduler = await schedule(model);
    const prompts = [range(4), range(3, 8), [12]];
    const generations = prompts.map((prompt) => answering(prompt, { maxTokens: 1 }));
    for (const generation of generations) scheduler.submit(generation);
    const results = await Promise.all(generations.map(({ result }) => result));
    expect(results.map(({ tokens }) => tokens)).toEqual([[4], [11], [13]]);
    expect(rowsOf(model)).toEqual([
      ["0@0:0", "1@0:1", "2@0:2"],
      ["3@0:3", "0@1:8", "0@2:12"],
      ["1@1:9", "2@1:10"],
    ]);
  });

  it("takes the row of a prompt of one token for a prompt's", async () => {
    const model = scriptedModel({});
    const scheduler = await schedule(model);
    const generation = answering([4], { maxTokens: 2 });
    scheduler.submit(generation);
    await generation.result;
    expect(model.steps.map(({ answers }) => answers)).toEqual([0, 1]);
  });

  it("leaves an output that does not fit to a later step", async () => {
    const model = scriptedModel({ maxOutputs: 1 });
    const scheduler = await schedule(model);
    const [first, second] = [answering([1]), answering([8])];
    scheduler.submit(first);
    scheduler.submit(second);
    expect((await first.result).tokens).toEqual([2, 3, 4]);
    expect((await second.result).tokens).toEqual([9, 10, 11]);
    expect(model.steps.map(({ outputRows }) => outputRows.length)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it.each([
    [["best", "best"], [{}]],
    // The first step begins when the first answer is submitted; both begin behind the second one.
    [
      ["best", "largest", "largest"],
      [{}, { sampling: { temperature: 1, topK: 3, seed: 1 } }],
    ],
    [
      ["best", "logits", "logits"],
      [{}, { sampling: { temperature: 1, topK: 0, seed: 1 } }],
    ],
    [
      ["logits", "best", "logits"],
      [{ logprobs: 1 }, {}],
    ],
  ] as const)("reads what its answers decide by: %j for %j", async (reads, all) => {
    const model = scriptedModel({});
    const scheduler = await schedule(model);
    const generations = all.map((options) => answering([1], { maxTokens: 2, ...options }));
    for (const generation of generations) scheduler.submit(generation);
    await Promise.all(generations.map(({ result }) => result));
    expect(model.steps.map(({ read }) => read)).toEqual(reads);
  });
});

describe("a sequence", () => {
  it("that holds the beginning of a prompt reads the rest, or is forked where that forgets less", async () => {
    const model = scriptedModel({ maxRows: 8 });
    const scheduler = await schedule(model);
    const before = [answering([9, 9]), answering([1, 2, 3, 4])];
    for (const generation of before) scheduler.submit(generation);
    await Promise.all(before.map(({ result }) => result));
    const done = model.steps.length;
    const next = answering([1, 2, 3, 7], { maxTokens: 1 });
    scheduler.submit(next);
    expect(await next.result).toMatchObject({ cachedTokens: 3, tokens: [8] });
    // The other one was left longer ago: it forgets its two tokens and what it answered.
    expect(model.copies).toEqual([[1, 0, 3]]);
    expect(rowsOf(model).slice(done)).toEqual([["3@0:7"]]);
    const same = answering([1, 2, 3, 7], { maxTokens: 1 });
    scheduler.submit(same);
    // The last token is read again: its logits are what the answer starts from.
    expect(await same.result).toMatchObject({ cachedTokens: 3, tokens: [8] });
  });

  it("is given to waiting generations in their order", async () => {
    const model = scriptedModel({ sequences: 1 });
    const scheduler = await schedule(model);
    const order: number[] = [];
    const generations = [3, 1, 2].map((token) => answering([token], { maxTokens: 1 }));
    for (const generation of generations) {
      scheduler.submit(generation);
      void generation.result.then(({ tokens }) => order.push(tokens[0]!));
    }
    await Promise.all(generations.map(({ result }) => result));
    expect(order).toEqual([4, 2, 3]);
    expect(model.steps).toHaveLength(3);
  });

  it("that is full ends its answer", async () => {
    const model = scriptedModel({ contextLength: 4 });
    const scheduler = await schedule(model);
    const generation = answering([1, 2], { maxTokens: 9 });
    scheduler.submit(generation);
    expect(await generation.result).toMatchObject({
      finishReason: "context",
      tokens: [3, 4, 5],
    });
  });

  it("that is full keeps its first token and its newer half, which is read again as a prompt", async () => {
    const model = scriptedModel({ contextLength: 6, maxRows: 3 });
    const scheduler = await schedule(model);
    const other = answering([9], { maxTokens: 9, whenFull: "shift" });
    const generation = answering([1, 2, 3, 4], { maxTokens: 5, whenFull: "shift" });
    scheduler.submit(generation);
    scheduler.submit(other);
    expect((await generation.result).tokens).toEqual([5, 6, 7, 8, 9]);
    expect((await other.result).tokens).toEqual(range(9, 10));
    const own = rowsOf(model).map((rows) => rows.filter((row) => row.includes("@0:")));
    const again = own.findIndex((rows, at) => at > 1 && rows[0]?.startsWith("1@"));
    // The first token stays; the three newest and the one to go on from are read at positions 1 to 4.
    expect(own.slice(again, again + 2).flat()).toEqual(["1@0:4", "2@0:5", "3@0:6", "4@0:7"]);
    expect(model.steps[again]?.answers).toBe(1);
    expect(model.steps[again]?.rows[0]).toMatch("@1:");
  });
});

describe("a generation that is cancelled", () => {
  it("while it waits is never read, and those behind it come", async () => {
    const model = scriptedModel({ sequences: 1 });
    const scheduler = await schedule(model);
    const [first, waiting, last] = [answering([1]), answering([5, 5]), answering([8])];
    for (const generation of [first, waiting, last]) scheduler.submit(generation);
    waiting.finish("abort");
    expect(await waiting.result).toMatchObject({ finishReason: "abort", tokens: [] });
    expect((await last.result).tokens).toEqual([9, 10, 11]);
    expect(
      rowsOf(model)
        .flat()
        .filter((row) => row.endsWith(":5")),
    ).toEqual([]);
  });

  it("while its prompt is read is read no further, and frees its sequence", async () => {
    const reading = answering(range(12));
    const model = scriptedModel({
      sequences: 1,
      onStep: (index) => index === 1 && reading.finish("abort"),
    });
    const scheduler = await schedule(model);
    const next = answering(range(6));
    scheduler.submit(reading);
    scheduler.submit(next);
    expect(await reading.result).toMatchObject({ finishReason: "abort", tokens: [] });
    // What it has read serves the next prompt.
    expect(await next.result).toMatchObject({ cachedTokens: 5, tokens: [6, 7, 8] });
    expect(
      rowsOf(model)
        .slice(0, 3)
        .map((rows) => rows.length),
    ).toEqual([4, 4, 1]);
  });

  it("while it writes keeps what it wrote, and the others go on", async () => {
    const writing = answering([1], { maxTokens: 9 });
    const model = scriptedModel({ onStep: (index) => index === 3 && writing.finish("abort") });
    const scheduler = await schedule(model);
    const other = answering([8], { maxTokens: 5 });
    scheduler.submit(writing);
    scheduler.submit(other);
    expect(await writing.result).toMatchObject({ finishReason: "abort", tokens: [2, 3] });
    expect((await other.result).tokens).toEqual([9, 10, 11, 12, 13]);
    expect(rowsOf(model).map((rows) => rows.length)).toEqual([1, 1, 2, 2, 1, 1]);
  });

  it("with all others leaves nothing to do", async () => {
    const generations = [answering([1]), answering([2]), answering([3])];
    let scheduler: Scheduler | undefined;
    const model = scriptedModel({ onStep: (index) => index === 2 && scheduler?.abortAll() });
    scheduler = await schedule(model);
    for (const generation of generations) scheduler.submit(generation);
    const results = await Promise.all(generations.map(({ result }) => result));
    expect(results.map(({ finishReason, tokens }) => [finishReason, tokens.length])).toEqual([
      ["abort", 1],
      ["abort", 1],
      ["abort", 0],
    ]);
    expect(model.steps).toHaveLength(3);
  });
});

describe("an error", () => {
  it("of one answer ends it alone, and its sequence is not reused", async () => {
    const model = scriptedModel({ next: (token) => (token === 2 ? Number.NaN : token + 1) });
    const scheduler = await schedule(model);
    const [failing, other] = [answering([1, 1], { maxTokens: 5 }), answering([8])];
    scheduler.submit(failing);
    scheduler.submit(other);
    await expect(failing.result).rejects.toThrow(NotFiniteError);
    expect((await other.result).tokens).toEqual([9, 10, 11]);
    const again = answering([1, 1], { maxTokens: 1 });
    scheduler.submit(again);
    expect(await again.result).toMatchObject({ cachedTokens: 0, tokens: [2] });
  });

  it("of the device ends those that run and those that wait, and all that come after", async () => {
    const failure = new Error("the card fell out");
    const model = scriptedModel({
      sequences: 1,
      onStep: (index) => {
        if (index === 1) throw failure;
      },
    });
    const scheduler = await schedule(model);
    const [running, waiting] = [answering([1]), answering([2])];
    scheduler.submit(running);
    scheduler.submit(waiting);
    const results = await Promise.allSettled([running.result, waiting.result]);
    expect(results).toEqual([
      { status: "rejected", reason: failure },
      { status: "rejected", reason: failure },
    ]);
    const later = answering([3]);
    scheduler.submit(later);
    await expect(later.result).rejects.toBe(failure);
    expect(model.steps).toHaveLength(1);
  });

  it("refuses a prompt that the context has no room for, before anything runs", async () => {
    const model = scriptedModel({ contextLength: 4 });
    const scheduler = await schedule(model);
    const tooLong = answering(range(5));
    scheduler.submit(tooLong);
    await expect(tooLong.result).rejects.toThrow(LimitError);
    expect(model.steps).toHaveLength(0);
    const fitting = answering(range(4), { maxTokens: 1 });
    scheduler.submit(fitting);
    expect((await fitting.result).tokens).toEqual([4]);
  });
});
