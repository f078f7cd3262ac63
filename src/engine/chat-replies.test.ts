/** Calls and thoughts in the answers of an engine, from tokens of marks that are not shown. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callingTokens, callText, writeCallingModel } from "../../test/fixtures/calling-model.ts";
import { type ModelFolder, modelFolder } from "../../test/fixtures/changed-model.ts";
import { Engine } from "./engine.ts";

let folder: ModelFolder;
let engine: Engine;

beforeAll(async () => {
  folder = modelFolder();
  engine = await Engine.open(await writeCallingModel(folder), { device: "reference" });
});

afterAll(() => {
  engine.close();
  folder[Symbol.dispose]();
});

const messages = [{ role: "user", content: "Hi" }];
const tools = [{ name: "add" }];

const call = callText("call");

function only(word: keyof typeof callingTokens, maxTokens: number): object {
  const logitBias = { [callingTokens[word]]: 1e4 };
  return { temperature: 0, ignoreEos: true, maxTokens, logitBias };
}

describe("an answer to a conversation", () => {
  it("brings its calls while it is written, and the same ones with its result", async () => {
    const answer = engine.chat(messages, { ...only("call", 2), tools });
    const events = [];
    for await (const chunk of answer) events.push(...chunk.events);
    const { reply, text, written } = await answer.result;
    expect([text, written]).toEqual(["", call + call]);
    expect(reply.toolCalls).toMatchObject([
      { name: "add", arguments: '{"a": 1}' },
      { name: "add", arguments: '{"a": 1}' },
    ]);
    const [first, second] = reply.toolCalls;
    expect(first?.id).toMatch(/^[0-9a-f]{9}$/);
    expect(first?.id).not.toBe(second?.id);
    expect(events).toEqual(
      reply.toolCalls.flatMap(({ id, name, arguments: given }, index) => [
        { kind: "call", index, id, name },
        { kind: "arguments", index, text: given },
        { kind: "call-end", index },
      ]),
    );
  });

  it("has no calls where no tools were given", async () => {
    const { reply } = await engine.chat(messages, only("call", 1)).result;
    expect(reply).toEqual({ content: call, reasoning: "", toolCalls: [], notices: [] });
  });

  it("tells thoughts from content", async () => {
    const reply = await engine.chat(messages, only("thought", 1)).reply();
    expect(reply).toEqual({ content: "", reasoning: "Hm.", toolCalls: [], notices: [] });
  });

  it("is not begun with tools that are none", () => {
    expect(() => engine.chat(messages, { tools: [{ name: "" }] })).toThrow("name: ");
  });

  it("rejects with one error, and crashes nothing where nobody looks", async () => {
    const long = [{ role: "user", content: "x".repeat(10_000) }];
    const answer = engine.chat(long, { maxTokens: 1 });
    await expect(answer.result).rejects.toThrow("context");
  });
});
