/** Tools over OpenAI's interface, by OpenAI's own client: calls whole and in a stream, thoughts, results, refusals. */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  callingTokens,
  callText,
  writeCallingModel,
} from "../../../test/fixtures/calling-model.ts";
import { type ModelFolder, modelFolder } from "../../../test/fixtures/changed-model.ts";
import { startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";

let folder: ModelFolder;
let test: TestServer;
let client: OpenAI;
beforeAll(async () => {
  folder = modelFolder();
  const engine = { device: "reference" } as const;
  test = await startTestServer({ model: await writeCallingModel(folder), engine });
  client = new OpenAI({
    baseURL: `${test.url}/v1`,
    apiKey: "none",
    maxRetries: 0,
    fetch: test.fetch,
  });
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

type Asked = OpenAI.Chat.ChatCompletionCreateParamsNonStreaming;
const tools: Asked["tools"] = [{ type: "function", function: { name: "add", parameters: {} } }];

function asked(word: keyof typeof callingTokens, more: Partial<Asked> = {}): Asked {
  return {
    model: "any",
    messages: [{ role: "user", content: "Hi" }],
    temperature: 0,
    max_tokens: 2,
    logit_bias: { [callingTokens[word]]: 1e4 },
    ...more,
  };
}

describe("tools", () => {
  it("are called: whole, and in a stream piece by piece", async () => {
    const { choices } = await client.chat.completions.create(asked("call", { tools }));
    const message = choices[0]?.message;
    expect(message?.content).toBeNull();
    expect(message?.tool_calls).toMatchObject([
      { type: "function", function: { name: "add", arguments: '{"a": 1}' } },
      { type: "function", function: { name: "add", arguments: '{"a": 1}' } },
    ]);
    const stream = client.chat.completions.stream({ ...asked("call", { tools }), stream: true });
    const final = await stream.finalChatCompletion();
    const calls = final.choices[0]?.message.tool_calls ?? [];
    expect(calls.map((call) => call.type === "function" && call.function.arguments)).toEqual([
      '{"a": 1}',
      '{"a": 1}',
    ]);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
  });

  it("end an answer with the first call where only one is wanted, which is its reason", async () => {
    const one = { tools, parallel_tool_calls: false };
    const { choices } = await client.chat.completions.create(asked("call", one));
    expect(choices[0]?.finish_reason).toBe("tool_calls");
    expect(choices[0]?.message.tool_calls).toHaveLength(1);
    const stream = client.chat.completions.stream({ ...asked("call", one), stream: true });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message.tool_calls).toHaveLength(1);
    expect(final.choices[0]?.finish_reason).toBe("tool_calls");
  });

  it("are called where one must be, with arguments that its schema allows", async () => {
    const parameters = {
      type: "object",
      properties: { city: { enum: ["Rome", "Oslo"] } },
      required: ["city"],
      additionalProperties: false,
    };
    const more = ["ask", "add"].map((name) => {
      return { type: "function", function: { name, parameters } } as const;
    });
    const hot = { tools: more, temperature: 2, seed: 1, max_tokens: 50, logit_bias: {} };
    const must = { ...hot, tool_choice: { type: "function", function: { name: "ask" } } } as const;
    for (const choice of [must, { ...hot, tool_choice: "required" } as const]) {
      const { choices } = await client.chat.completions.create(asked("call", choice));
      expect(choices[0]?.finish_reason).toBe("tool_calls");
      const [call] = choices[0]?.message.tool_calls ?? [];
      if (call?.type !== "function") throw new Error("no call");
      expect(choice === must ? ["ask"] : ["ask", "add"]).toContain(call.function.name);
      expect(["Rome", "Oslo"]).toContain(JSON.parse(call.function.arguments).city);
    }
  });

  it("are not called where there are none, or none may be", async () => {
    for (const more of [{}, { tools, tool_choice: "none" }] as const) {
      const { choices } = await client.chat.completions.create(asked("call", more));
      expect(choices[0]?.message.tool_calls).toBeUndefined();
      expect(choices[0]?.message.content).toBe(callText("call").repeat(2));
    }
  });

  it("in the conversation so far are read by the template", async () => {
    const call = { id: "c1", type: "function", function: { name: "add", arguments: '{"a": 7}' } };
    const messages = [
      { role: "user", content: "Hi" },
      { role: "assistant", content: null, tool_calls: [call] },
      { role: "tool", tool_call_id: "c1", content: "8" },
    ] as Asked["messages"];
    const prompt = async (all: Asked["messages"]): Promise<number> => {
      const { usage } = await client.chat.completions.create(asked("thought", { messages: all }));
      return usage?.prompt_tokens ?? 0;
    };
    expect(await prompt(messages)).toBeGreaterThan((await prompt(messages.slice(0, 1))) + 8);
  });

  it("that are broken are not written, however likely they are", async () => {
    const body = asked("brokenCall", { tools, max_tokens: 1 });
    const { choices } = await client.chat.completions.create(body);
    expect(choices[0]?.message.content).not.toContain("[TOOL_CALLS]");
  });

  it("that say strict, as clients' helpers for schemas always do, are kept to their schemas or refused", async () => {
    const strict = (parameters: Record<string, unknown>): NonNullable<Asked["tools"]> => [
      { type: "function", function: { name: "add", parameters, strict: true } },
    ];
    const { data, response } = await client.chat.completions
      .create(asked("call", { tools: strict({}) }))
      .withResponse();
    expect(data.choices[0]?.message.tool_calls).toHaveLength(2);
    expect(response.headers.get("x-hearth-ignored-fields")).toBeNull();
    const body = asked("call", { tools: strict({ odd: 1 }) });
    await expect(client.chat.completions.create(body)).rejects.toThrow("odd");
  });

  it.each<[string, Partial<Asked>, string]>([
    ["tool_choice", { tool_choice: "required" }, "a tool that was given"],
    [
      "a schema",
      {
        tools: [{ type: "function", function: { name: "f", parameters: { odd: 1 } } }],
        tool_choice: "required",
      },
      "odd",
    ],
    ["tools", { tools: [{ type: "function", function: { name: "a b" } }] }, "name"],
  ])("%s that cannot be kept is refused", async (_, more, message) => {
    const answer = client.chat.completions.create(asked("call", more));
    await expect(answer).rejects.toThrow(message);
  });
});

describe("thoughts", () => {
  it("are a field of their own, whole and in a stream", async () => {
    const { choices } = await client.chat.completions.create(asked("thought", { max_tokens: 1 }));
    expect(choices[0]?.message).toMatchObject({ content: "", reasoning_content: "Hm." });
    const body = asked("thought", { max_tokens: 1 });
    const stream = await client.chat.completions.create({ ...body, stream: true });
    const deltas: unknown[] = [];
    for await (const chunk of stream) deltas.push(chunk.choices[0]?.delta);
    expect(deltas).toContainEqual({ reasoning_content: "Hm." });
  });
});
