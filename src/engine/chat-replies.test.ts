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

describe("an answer that is begun", () => {
  const begun = [...messages, { role: "assistant", content: "Well, " }];
  const goOn = { continueLast: true };

  it("is what follows on its text, as of the same prompt without a conversation", async () => {
    const prompt = engine.renderChat(begun, goOn);
    expect(prompt).toMatch(/Well, $/);
    const sampling = { temperature: 0, maxTokens: 6 };
    const { text } = await engine.generate(prompt, { ...sampling, parseSpecial: true }).result;
    const { reply } = await engine.chat(begun, { ...sampling, template: goOn }).result;
    expect(reply.content).toBe(text);
  });

  it("is bound to nothing", () => {
    const template = goOn;
    expect(() => engine.chat(begun, { template, schema: {} })).toThrow("cannot be bound to schema");
    const forced = { template, tools, toolChoice: "required" } as const;
    expect(() => engine.chat(begun, forced)).toThrow("cannot be bound to a call that must come");
  });
});

describe("an answer that must call", () => {
  const parameters = {
    type: "object",
    properties: { city: { enum: ["Rome", "Oslo"] } },
    required: ["city"],
    additionalProperties: false,
  };
  const several = [
    { name: "add", parameters },
    { name: "ask", parameters },
  ];
  const hot = { temperature: 2, seed: 3, maxTokens: 50 };

  it("is one call of a tool with arguments that its schema allows, whatever is sampled", async () => {
    for (const seed of [1, 2, 3]) {
      const asked = { ...hot, seed, tools: several, toolChoice: "required" } as const;
      const { reply, finishReason } = await engine.chat(messages, asked).result;
      expect(finishReason).toBe("stop");
      expect(reply).toMatchObject({ content: "", reasoning: "", notices: [] });
      expect(reply.toolCalls).toHaveLength(1);
      const { name, arguments: given } = reply.toolCalls[0] ?? { name: "", arguments: "" };
      expect(["add", "ask"]).toContain(name);
      expect(["Rome", "Oslo"]).toContain(JSON.parse(given).city);
    }
  });

  it("calls the tool that was chosen, and its stream says so", async () => {
    const answer = engine.chat(messages, { ...hot, tools: several, toolChoice: { name: "ask" } });
    const events = [];
    for await (const chunk of answer) events.push(...chunk.events);
    expect(events.map(({ kind }) => kind)).toEqual(["call", "arguments", "call-end"]);
    expect(events[0]).toMatchObject({ name: "ask" });
  });

  it.each([
    [{ tools: several, toolChoice: { name: "no" } }, "a tool that was given"],
    [{ toolChoice: "required" }, "a tool that was given"],
    [{ tools: several, toolChoice: "any" }, "toolChoice"],
    [{ tools: [{ name: "add", parameters: { unknown: 1 } }], toolChoice: "required" }, "unknown"],
  ])("is refused where it cannot be kept: %j", (options, message) => {
    expect(() => engine.chat(messages, options as object)).toThrow(message);
  });
});

describe("an answer that may call", () => {
  const parameters = {
    type: "object",
    properties: {
      city: { enum: ["Rome", "Oslo"] },
      days: { type: "integer", minimum: 0, maximum: 9 },
    },
    required: ["city", "days"],
    additionalProperties: false,
  };
  const several = [
    { name: "add", parameters },
    { name: "ask", parameters },
  ];
  const hot = { temperature: 2, maxTokens: 120 };
  const schema = {
    type: "object",
    properties: { size: { enum: ["small", "large"] } },
    required: ["size"],
    additionalProperties: false,
  } as const;

  it("writes freely, and from a call's mark on nothing but a call that is valid", async () => {
    const likely = { [callingTokens.mark]: 12 };
    for (const seed of [1, 2, 3, 4]) {
      const asked = { ...hot, seed, tools: several, logitBias: likely, ignoreEos: true };
      const { reply, written } = await engine.chat(messages, asked).result;
      expect(written).toMatch(/\[TOOL_CALLS\](add|ask)(\[CALL_ID\]\w{9})?\[ARGS\]\{/);
      expect(reply.toolCalls.length).toBeGreaterThan(0);
      for (const { name, arguments: given } of reply.toolCalls) {
        expect(["add", "ask"]).toContain(name);
        const { city, days } = JSON.parse(given);
        expect(["Rome", "Oslo"]).toContain(city);
        expect(Number.isInteger(days)).toBe(true);
      }
    }
    const free = { ...hot, seed: 1, tools: several, logitBias: { [callingTokens.mark]: -50 } };
    const { reply } = await engine.chat(messages, free).result;
    expect([reply.toolCalls, reply.content === ""]).toEqual([[], false]);
  });

  it("keeps arguments of a strict tool, or fails; of another whose schema cannot be kept, any object", async () => {
    const unknown = { type: "object", odd: 1 };
    const strict = [{ name: "add", parameters: unknown, strict: true }];
    expect(() => engine.chat(messages, { tools: strict })).toThrow(/odd/);
    const tools = [{ name: "add", parameters: unknown }];
    const logitBias = { [callingTokens.mark]: 50 };
    const cut = await engine.chat(messages, { tools, logitBias, ...hot, maxTokens: 12, seed: 1 })
      .result;
    expect(cut.written).toMatch(/^\[TOOL_CALLS\]add(\[CALL_ID\]|\[ARGS\]\{)/);
  });

  it("thinks first where the prompt says so, and then is of its form", async () => {
    const template = { variables: { thinks: true } };
    const logitBias = { [callingTokens.thoughtsEnd]: 8 };
    const answer = engine.chat(messages, { ...hot, seed: 1, schema, template, logitBias });
    const { reply } = await answer.result;
    expect(reply.reasoning.length).toBeGreaterThan(0);
    expect(["small", "large"]).toContain((await answer.value).size);
    expect(JSON.parse(reply.content)).toEqual(await answer.value);
    const must = engine.chat(messages, {
      ...hot,
      seed: 1,
      tools: several,
      toolChoice: "required",
      template,
      logitBias,
    });
    const { reply: called } = await must.result;
    expect(called.reasoning.length).toBeGreaterThan(0);
    expect(called.toolCalls).toHaveLength(1);
  });

  it("of a form beside tools is a value of it or a call", async () => {
    let calls = 0;
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const mark = seed % 2 === 0 ? 50 : -50;
      const logitBias = { [callingTokens.mark]: mark, [callingTokens.thoughtsEnd]: 90 };
      const asked = { ...hot, seed, schema, tools: several, logitBias };
      const answer = engine.chat(messages, asked);
      const { reply, finishReason } = await answer.result;
      expect(finishReason).toBe("stop");
      if (reply.toolCalls.length > 0) {
        calls++;
        expect(["Rome", "Oslo"]).toContain(JSON.parse(reply.toolCalls[0]?.arguments ?? "").city);
        await expect(answer.value).rejects.toThrow("calls a tool");
      } else {
        expect(["small", "large"]).toContain((await answer.value).size);
      }
    }
    expect(calls).toBe(3);
  });

  it("is not both of a form and a call that must come", () => {
    const both = { schema, tools: several, toolChoice: "required" } as const;
    expect(() => engine.chat(messages, both)).toThrow("beside a call that must come");
  });
});
