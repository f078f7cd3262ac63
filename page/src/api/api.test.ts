/** What comes from the server: streams in pieces, failures, models, and chunks that make a message. */
import { describe, expect, it } from "vitest";
import { addChunk } from "../chat/chunks.ts";
import type { Message } from "../chat/conversation.ts";
import { EventReader } from "./event-reader.ts";
import { failureInStream, failureOf } from "./failures.ts";
import { modelsIn } from "./models.ts";

describe("a stream of events", () => {
  const stream =
    ': ping\n\ndata: {"a":1}\r\n\r\nevent: x\ndata: two\ndata:lines\n\ndata: [DONE]\n\n';
  const expected = ['{"a":1}', "two\nlines", "[DONE]"];

  it("is the same in pieces of any size", () => {
    for (let size = 1; size <= stream.length; size++) {
      const reader = new EventReader();
      const found: string[] = [];
      for (let at = 0; at < stream.length; at += size)
        found.push(...reader.push(stream.slice(at, at + size)));
      expect(found, `${size} characters`).toEqual(expected);
    }
  });

  it("has no event without data, and none that has not ended", () => {
    const reader = new EventReader();
    expect(reader.push("id: 3\nretry: 5\n\ndatabase: 1\n\ndata: half\n")).toEqual([]);
    expect(reader.push("\n")).toEqual(["half"]);
  });
});

describe("a failure", () => {
  const context = { message: "too long", n_prompt_tokens: 300, n_ctx: 256 };
  it.each([
    [400, null, { error: context }, { kind: "context", prompt: 300, context: 256 }],
    [400, null, { error: { message: "no" } }, { kind: "refused", message: "no" }],
    [429, "3", { error: { message: "full" } }, { kind: "busy", seconds: 3, message: "full" }],
    [503, "2", { error: { message: "x" } }, { kind: "busy", seconds: 2, message: "x" }],
    [503, null, { error: { message: "x" } }, { kind: "unavailable", message: "x" }],
    [500, null, "<html>", { kind: "unavailable", message: "500" }],
    [401, null, {}, { kind: "locked", isWrong: true }],
  ])("%d with Retry-After %s and %j", (status, retryAfter, body, expected) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    expect(failureOf({ status, retryAfter, body: text, hadKey: true })).toEqual(expected);
  });

  it("in the middle of a stream is told from a piece of the answer", () => {
    expect(failureInStream({ error: { message: "lost" } })).toEqual({
      kind: "broken",
      message: "lost",
    });
    expect(failureInStream({ choices: [] })).toBeUndefined();
  });
});

describe("a list of models", () => {
  it("says which are loaded, which are being loaded and how far", () => {
    const data = [
      { id: "a", status: { value: "loaded" }, meta: { n_ctx: 4096, n_params: 7 } },
      { id: "b", status: { value: "loading", progress: { done: 1, total: 4 } } },
      { id: "c", status: { value: "loading", progress: { done: 0, total: 0 } } },
      { id: "d", status: { value: "unloaded" } },
      { nameless: true },
    ];
    expect(modelsIn({ data }).map(({ name, status }) => [name, status])).toEqual([
      ["a", { kind: "loaded", context: 4096, parameters: 7 }],
      ["b", { kind: "loading", share: 0.25 }],
      ["c", { kind: "loading", share: undefined }],
      ["d", { kind: "unloaded" }],
    ]);
    expect(modelsIn("nonsense")).toEqual([]);
  });
});

describe("chunks of an answer", () => {
  const begun: Message = {
    id: "1",
    conversation: "c",
    parent: null,
    role: "assistant",
    createdAt: 0,
    text: "",
    state: { kind: "writing" },
  };
  const chunk = (delta: object, finish_reason: string | null = null): object => ({
    choices: [{ index: 0, delta, finish_reason }],
  });

  it("make text, thoughts and calls in parts", () => {
    const call = (rest: object): object => chunk({ tool_calls: [{ index: 0, ...rest }] });
    const chunks = [
      chunk({ role: "assistant", content: "" }),
      chunk({ reasoning_content: "Let " }),
      chunk({ reasoning_content: "me see" }),
      chunk({ content: "One " }),
      chunk({ content: "two" }),
      call({ id: "x", function: { name: "add", arguments: "" } }),
      call({ function: { arguments: '{"a"' } }),
      call({ function: { arguments: ":1}" } }),
    ];
    expect(chunks.reduce<Message>(addChunk, begun)).toEqual({
      ...begun,
      text: "One two",
      reasoning: "Let me see",
      calls: [{ id: "x", name: "add", arguments: '{"a":1}' }],
    });
  });

  it("say that the answer was cut, and what it took", () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 5,
      prompt_tokens_details: { cached_tokens: 8 },
    };
    const timings = { predicted_per_second: 40, prompt_per_second: 300 };
    const cut = addChunk(begun, chunk({}, "length"));
    expect(addChunk(cut, { choices: [], usage, timings })).toMatchObject({
      state: { kind: "cut" },
      numbers: { prompt: 10, cached: 8, completion: 5, promptSpeed: 300, speed: 40 },
    });
  });

  it("that are nonsense change nothing", () => {
    for (const nonsense of [null, 3, {}, { choices: [null] }, { choices: "x", usage: [] }])
      expect(addChunk(begun, nonsense)).toEqual(begun);
  });
});
