/** Calls and thoughts in the answers of an engine, from tokens of marks that are not shown. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ModelFolder, modelFolder } from "../../test/fixtures/changed-model.ts";
import { makeVocabulary } from "../../tools/make-model/vocabulary.ts";
import { metadataValue } from "../gguf/value.ts";
import { tokenType } from "../text/vocabulary.ts";
import { Engine } from "./engine.ts";

/** As one token: an answer of it alone is a call. */
const call = '[TOOL_CALLS]add[ARGS]{"a": 1}';
const thought = "[THINK]Hm.[/THINK]";
const texts = [call, thought] as const;
const size = 300;
const idOf = (index: number): number => size - texts.length + index;

let folder: ModelFolder;
let engine: Engine;

beforeAll(async () => {
  folder = modelFolder();
  const { tokens: plain, scores, types: plainTypes } = makeVocabulary(size);
  const [tokens, types] = [[...plain], [...plainTypes]];
  for (const [index, text] of texts.entries()) {
    tokens[idOf(index)] = text;
    types[idOf(index)] = index === 0 ? tokenType.control : tokenType.userDefined;
  }
  const template =
    "{# [TOOL_CALLS] [ARGS] [THINK] #}{% for t in tools or [] %}{{ t.function.name }}{% endfor %}{{ messages[0].content }}";
  const keys = {
    "tokenizer.ggml.tokens": metadataValue.strings(tokens),
    "tokenizer.ggml.scores": metadataValue.f32s(scores),
    "tokenizer.ggml.token_type": metadataValue.i32s(types),
    "tokenizer.chat_template": metadataValue.string(template),
  };
  engine = await Engine.open(await folder.write("--arch llama", { keys }), { device: "reference" });
});

afterAll(() => {
  engine.close();
  folder[Symbol.dispose]();
});

const messages = [{ role: "user", content: "Hi" }];
const tools = [{ name: "add" }];

function only(index: number, maxTokens: number): object {
  return { temperature: 0, ignoreEos: true, maxTokens, logitBias: { [idOf(index)]: 1e4 } };
}

describe("an answer to a conversation", () => {
  it("brings its calls while it is written, and the same ones with its result", async () => {
    const answer = engine.chat(messages, { ...only(0, 2), tools });
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
    const { reply } = await engine.chat(messages, only(0, 1)).result;
    expect(reply).toEqual({ content: call, reasoning: "", toolCalls: [], notices: [] });
  });

  it("tells thoughts from content", async () => {
    const reply = await engine.chat(messages, only(1, 1)).reply();
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
