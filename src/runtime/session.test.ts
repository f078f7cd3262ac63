/** How a session fills steps, which outputs it reads, and its book of the KV cache; no model. */
import { describe, expect, it } from "vitest";
import {
  outputSlots,
  type ScriptedModel,
  scriptedModel,
  vocabulary,
} from "../../test/fixtures/scripted-model.ts";
import { LimitError } from "../core/errors.ts";
import { type OutputSlots, Session } from "./session.ts";

function open(model: ScriptedModel, outputs: OutputSlots = outputSlots): Promise<Session> {
  return Session.open(model.backend, model.program, outputs);
}

describe("a session's step", () => {
  it("has the rows in the order of adding, at the next position of each sequence", async () => {
    const model = scriptedModel({ maxRows: 8 });
    const session = await open(model);
    expect(session.addForOutput(1, 9, "answer")).toBe(0);
    session.add(0, 5);
    session.add(0, 6);
    expect(session.addForOutput(0, 7, "prompt")).toBe(1);
    await session.run();
    expect(session.addForOutput(0, 8, "answer")).toBe(0);
    await session.run();
    expect(model.steps).toEqual([
      {
        rows: ["0@1:9", "0@0:5", "1@0:6", "2@0:7"],
        answers: 1,
        proposals: 0,
        outputRows: [0, 3],
        read: "logits",
      },
      { rows: ["3@0:8"], answers: 1, proposals: 0, outputRows: [0], read: "logits" },
    ]);
  });

  it("has proposals behind answers and before prompts", async () => {
    const model = scriptedModel({ maxRows: 8, maxOutputs: 4 });
    const session = await open(model);
    session.addForOutput(0, 1, "answer");
    session.addForOutput(0, 2, "proposal");
    session.addForOutput(0, 3, "proposal");
    session.addForOutput(1, 4, "prompt");
    await session.run();
    expect(model.steps[0]).toMatchObject({ answers: 1, proposals: 2, outputRows: [0, 1, 2, 3] });
  });

  it("refuses an answer behind a proposal, and either behind a prompt, and keeps the cache as it was", async () => {
    const session = await open(scriptedModel({ maxRows: 8, maxOutputs: 8 }));
    session.addForOutput(0, 1, "proposal");
    expect(() => session.addForOutput(0, 2, "answer")).toThrow(RangeError);
    session.add(1, 3);
    expect(() => session.addForOutput(0, 2, "answer")).toThrow(RangeError);
    expect(() => session.addForOutput(0, 2, "proposal")).toThrow(RangeError);
    expect([session.cache.length(0), session.cache.length(1)]).toEqual([1, 1]);
  });

  it("refuses more rows, outputs and tokens of a sequence than the program has room for", async () => {
    const session = await open(scriptedModel({ maxRows: 3, maxOutputs: 1, contextLength: 2 }));
    session.addForOutput(0, 1, "prompt");
    expect([session.room, session.outputRoom, session.rowCount]).toEqual([2, 0, 1]);
    expect(() => session.addForOutput(1, 1, "prompt")).toThrow(LimitError);
    session.add(0, 2);
    expect(() => session.add(0, 3)).toThrow("sequence 0 is full");
    session.add(1, 1);
    expect(() => session.add(1, 2)).toThrow("room for 3 rows");
    expect(() => session.addForOutput(1, 2, "prompt")).toThrow(LimitError);
  });

  it("is empty again after it ran, and an empty one does not run", async () => {
    const model = scriptedModel({});
    const session = await open(model);
    session.addForOutput(0, 1, "answer");
    await session.run();
    expect([session.rowCount, session.room, session.outputRoom]).toEqual([0, 4, 2]);
    await session.run();
    expect(model.steps).toHaveLength(1);
  });
});

describe("a session reads", () => {
  it("the best token, the largest logits or all of them, whichever is enough", async () => {
    const session = await open(scriptedModel({}));
    expect([1, 2, 4, 5, Number.POSITIVE_INFINITY].map((n) => session.cheapestRead(n))).toEqual([
      "best",
      "largest",
      "largest",
      "logits",
      "logits",
    ]);
    const { logits, argmax, topK } = outputSlots;
    const withoutTopK = await open(scriptedModel({}), { logits, argmax });
    expect([1, 2].map((n) => withoutTopK.cheapestRead(n))).toEqual(["best", "logits"]);
    const withoutBest = await open(scriptedModel({}), { logits, topK });
    expect([1, 4].map((n) => withoutBest.cheapestRead(n))).toEqual(["largest", "largest"]);
  });

  it("each output of the last run", async () => {
    const model = scriptedModel({ next: (token) => (token === 3 ? Number.NaN : token + 1) });
    const session = await open(model);
    const run = async (read: "best" | "largest" | "logits"): Promise<void> => {
      session.addForOutput(0, 7, "answer");
      session.addForOutput(1, 3, "answer");
      await session.run(read);
    };
    await run("best");
    expect([session.best(0), session.best(1)]).toEqual([8, undefined]);
    await run("largest");
    expect([...session.largest(0).subarray(0, 2)]).toEqual([8, 1]);
    await run("logits");
    expect(session.logits(0)).toHaveLength(vocabulary);
    expect([session.logits(0)[8], session.logits(1)[8]]).toEqual([1, Number.NaN]);
    expect(model.steps.map(({ read }) => read)).toEqual(["best", "largest", "logits"]);
  });

  it("all logits where the program finds neither the best token nor the largest", async () => {
    const model = scriptedModel({});
    const session = await open(model, { logits: outputSlots.logits });
    session.addForOutput(0, 7, "answer");
    await session.run(session.cheapestRead(1));
    expect(model.steps[0]?.read).toBe("logits");
    expect(() => session.best(0)).toThrow(RangeError);
    expect(() => session.largest(0)).toThrow(RangeError);
  });

  it("nothing of rows that want no output, nor of a program without outputs", async () => {
    const model = scriptedModel({});
    const session = await open(model);
    session.add(0, 1);
    await session.run("best");
    expect(model.steps[0]?.read).toBeUndefined();
    const bare = scriptedModel({});
    const shown = await open(bare, {});
    shown.addForOutput(0, 1, "prompt");
    await shown.run();
    expect(bare.steps[0]?.read).toBeUndefined();
    expect(() => shown.logits(0)).toThrow(RangeError);
  });
});

describe("a session's cache", () => {
  it("goes on where it was truncated", async () => {
    const model = scriptedModel({});
    const session = await open(model);
    for (const token of [4, 5, 6]) session.add(0, token);
    await session.run();
    session.cache.truncate(0, 1);
    session.add(0, 9);
    await session.run();
    expect(model.steps[1]?.rows).toEqual(["1@0:9"]);
    expect([...session.cache.tokens(0)]).toEqual([4, 9]);
  });

  it("copies a prefix when the rows added so far have run", async () => {
    const model = scriptedModel({});
    const session = await open(model);
    for (const token of [4, 5, 6]) session.add(0, token);
    await session.copyPrefix(0, 1, 2);
    expect(model.steps.map(({ rows }) => rows.length)).toEqual([3]);
    expect(model.copies).toEqual([[0, 1, 2]]);
    expect([...session.cache.tokens(1)]).toEqual([4, 5]);
    session.add(1, 7);
    await session.run();
    expect(model.steps[1]?.rows).toEqual(["2@1:7"]);
  });
});

describe("a session counts", () => {
  it("a step by what its rows are for, not by how many outputs it has", async () => {
    const pending: number[] = [];
    const model = scriptedModel({ onStep: () => pending.push(1) });
    const compiled = await model.backend.compile(model.program);
    const backend = {
      ...model.backend,
      compile: async () => ({
        ...compiled,
        ffnCounts: () =>
          pending
            .splice(0)
            .map((rows) => ({ layer: 0, active: rows, rows, neurons: 2, bytesTouched: 1 })),
      }),
    };
    const session = await Session.open(backend, model.program, outputSlots);
    const run = async (purpose: "prompt" | "answer"): Promise<void> => {
      session.addForOutput(0, 1, purpose);
      await session.run();
    };
    await run("prompt");
    await run("answer");
    await run("answer");
    const tokens = (["prompt", "answer", "all"] as const).map(
      (purpose) => session.counters.use(purpose).tokens,
    );
    expect(tokens).toEqual([1, 2, 3]);
  });
});
