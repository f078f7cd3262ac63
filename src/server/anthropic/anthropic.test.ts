/** Anthropic's interface, against the bundled model: what its clients take for granted, event by event. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonOf, startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer({ contextLength: 64 });
});
afterAll(() => test[Symbol.asyncDispose]());

const messages = [{ role: "user", content: "Tell me of the king" }];
const greedy = { model: "any", messages, max_tokens: 6, temperature: 0 };

interface Message {
  readonly content: readonly { readonly type: string; readonly text: string }[];
  readonly stop_reason: string;
  readonly stop_sequence: string | null;
  readonly usage: Readonly<Record<string, number>>;
}

const king = {
  name: "king",
  description: "Tells which king ruled.",
  input_schema: { type: "object", properties: { year: { type: "integer" } } },
};

const ask = async (body: object): Promise<Message> =>
  jsonOf(await test.ask("/v1/messages", { ...greedy, ...body }));
const text = async (body: object): Promise<string> => (await ask(body)).content[0]?.text ?? "";

/** Name and data of each event. */
async function events(
  body: object,
): Promise<readonly (readonly [string, Record<string, unknown>])[]> {
  const response = await test.ask("/v1/messages", { ...greedy, ...body, stream: true });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const all = await response.text();
  return [...all.matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)].map(([, name = "", data = ""]) => [
    name,
    JSON.parse(data),
  ]);
}

describe("/v1/messages", () => {
  it("answers with a message, its reason and its usage", async () => {
    const found = await ask({});
    expect(found).toMatchObject({
      id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
      type: "message",
      role: "assistant",
      model: "default",
      content: [{ type: "text", text: expect.stringMatching(/./) }],
      stop_reason: "max_tokens",
      stop_sequence: null,
    });
    const { input_tokens = 0, cache_read_input_tokens = 0, output_tokens } = found.usage;
    expect(output_tokens).toBe(6);
    const { input_tokens: counted } = await jsonOf<{ input_tokens: number }>(
      await test.ask("/v1/messages/count_tokens", { model: "any", messages }),
    );
    expect(input_tokens + cache_read_input_tokens).toBe(counted);
    // Asked again, all but the last token of the prompt is there.
    expect((await ask({})).usage).toMatchObject({
      input_tokens: 1,
      cache_read_input_tokens: counted - 1,
    });
  });

  it("streams its events in their order, with the same text", async () => {
    const whole = await text({});
    const found = await events({});
    const names = found.map(([name]) => name);
    const deltas = names.filter((name) => name === "content_block_delta").length;
    expect(names).toEqual([
      "message_start",
      "content_block_start",
      "ping",
      ...Array(deltas).fill("content_block_delta"),
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    for (const [name, data] of found) expect(data["type"]).toBe(name);
    expect(found[0]?.[1]).toMatchObject({
      message: { content: [], stop_reason: null, usage: { output_tokens: 0 } },
    });
    expect(found[1]?.[1]).toEqual({
      type: "content_block_start",
      index: 0,
      content_block: { type: "text", text: "" },
    });
    const texts = found.flatMap(([, { delta }]) => {
      const { type, text: piece } = (delta ?? {}) as { type?: string; text?: string };
      return type === "text_delta" ? [piece] : [];
    });
    expect(texts.join("")).toBe(whole);
    expect(found.at(-2)?.[1]).toMatchObject({
      delta: { stop_reason: "max_tokens", stop_sequence: null },
      usage: { output_tokens: 6 },
    });
  });

  it("says which stop sequence ended it, and when it ended by itself", async () => {
    const whole = await text({ max_tokens: 12 });
    const middle = Math.floor(whole.length / 2);
    const word = whole.slice(middle, middle + 3);
    expect(await ask({ max_tokens: 12, stop_sequences: ["zzz", word] })).toMatchObject({
      stop_reason: "stop_sequence",
      stop_sequence: word,
      content: [{ text: whole.slice(0, whole.indexOf(word)) }],
    });
    const [, last] = (await events({ stop_sequences: [word], max_tokens: 12 })).at(-2) ?? [];
    expect(last).toMatchObject({ delta: { stop_reason: "stop_sequence", stop_sequence: word } });
  });

  it.each<readonly [string, object]>([
    ["system", { system: "You are a pirate." }],
    ["system in blocks", { system: [{ type: "text", text: "You are a pirate." }] }],
    ["max_tokens", { max_tokens: 2 }],
    [
      "the conversation",
      { messages: [...messages, { role: "assistant", content: "No." }, ...messages] },
    ],
  ])("changes its answer by %s", async (_, body) => {
    expect(await text(body)).not.toBe(await text({}));
  });

  it.each<readonly [string, object]>([
    ["top_k", { top_k: 1 }],
    ["top_p", { top_p: 0.001 }],
  ])("takes the likeliest tokens alone by %s", async (_, body) => {
    const hot = { temperature: 50, top_k: 0, top_p: 1 };
    expect(await text(hot)).not.toBe(await text({}));
    expect(await text({ ...hot, ...body })).toBe(await text({}));
  });

  it("goes on with an answer that is begun", async () => {
    const whole = await text({ max_tokens: 6 });
    const [begun = ""] = /^\s*\S+/.exec(whole) ?? [];
    const said = { role: "assistant", content: begun };
    const rest = await text({ messages: [...messages, said] });
    expect(whole.startsWith(begun + rest) || (begun + rest).startsWith(whole)).toBe(true);
  });

  it("reads blocks of text as the text they are, whatever else they say", async () => {
    const block = {
      type: "text",
      text: messages[0]?.content,
      cache_control: { type: "ephemeral" },
    };
    expect(await text({ messages: [{ role: "user", content: [block] }] })).toBe(await text({}));
  });

  it.each<readonly [string, object, RegExp]>([
    [
      "a tool that must be called and has no name",
      { tools: [king], tool_choice: { type: "tool" } },
      /^tool_choice.name: /,
    ],
    [
      "tools of Anthropic's own",
      { tools: [{ type: "bash_20250124", name: "bash" }] },
      /^tools\[0\]/,
    ],
    [
      "images",
      { messages: [{ role: "user", content: [{ type: "image" }] }] },
      /messages\[0\].content\[0\].*"image"/,
    ],
    ["thinking", { thinking: { type: "enabled", budget_tokens: 1024 } }, /^thinking: /],
    [
      "edits of the conversation",
      { context_management: { edits: [{ type: "clear_tool_uses_20250919" }] } },
      /^context_management: /,
    ],
    ["no limit", { max_tokens: undefined }, /^max_tokens: /],
    ["an unknown field", { stop_sequence: ["x"] }, /did you mean "stop_sequences"/],
    [
      "too long a prompt",
      { messages: [{ role: "user", content: "king ".repeat(90) }] },
      /tokens, the context 64/,
    ],
  ])("refuses %s by its name", async (_, body, message) => {
    const response = await test.ask("/v1/messages", { ...greedy, ...body });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      type: "error",
      error: { type: "invalid_request_error", message: expect.stringMatching(message) },
    });
  });

  it("tells the model of tools, unless none is to be called, and of their results", async () => {
    const count = async (body: object): Promise<number> => {
      const response = await test.ask("/v1/messages/count_tokens", {
        model: "any",
        messages,
        ...body,
      });
      return (await jsonOf<{ input_tokens: number }>(response)).input_tokens;
    };
    const plain = await count({});
    expect(await count({ tools: [king] })).toBeGreaterThan(plain + 10);
    expect(await count({ tools: [king], tool_choice: { type: "none" } })).toBe(plain);
    const call = { type: "tool_use", id: "toolu_1", name: "king", input: { year: 1100 } };
    const result = { type: "tool_result", tool_use_id: "toolu_1", content: "Henry" };
    const talk = [
      ...messages,
      { role: "assistant", content: [{ type: "text", text: "I look." }, call] },
      { role: "user", content: [result] },
    ];
    const withResult = await count({ messages: talk, tools: [king] });
    const longer = { ...result, content: [{ type: "text", text: "Henry the first of England" }] };
    const withLonger = [...talk.slice(0, 2), { role: "user", content: [longer] }];
    expect(withResult).toBeGreaterThan(await count({ tools: [king] }));
    expect(await count({ messages: withLonger, tools: [king] })).toBeGreaterThan(withResult);
  });

  it.each([
    ["output_format", (format: object) => ({ output_format: format })],
    ["output_config.format", (format: object) => ({ output_config: { format } })],
  ])("keeps to the schema of %s", async (_, bodyOf) => {
    const format = { type: "json_schema", schema: { enum: ["king", "queen"] } };
    const said = await text({ ...bodyOf(format), max_tokens: 20 });
    expect(["king", "queen"]).toContain(JSON.parse(said));
  });

  it("finds parts of a tool's schema that a client refers to without a #, as LiteLLM does", async () => {
    const input_schema = {
      type: "object",
      $defs: { Who: { enum: ["king", "queen"] } },
      properties: { who: { $ref: "/$defs/Who" } },
      required: ["who"],
      additionalProperties: false,
    };
    const asked = {
      tools: [{ name: "say", input_schema }],
      tool_choice: { type: "tool", name: "say" },
    };
    await using wide = await startTestServer({ contextLength: 512 });
    const body = { ...greedy, ...asked, max_tokens: 30 };
    const { content } = await jsonOf<Message>(await wide.ask("/v1/messages", body));
    expect(content).toMatchObject([
      { type: "tool_use", input: { who: expect.stringMatching(/king|queen/) } },
    ]);
  });

  it("refuses two schemas", async () => {
    const format = { type: "json_schema", schema: { enum: ["king"] } };
    const body = { ...greedy, output_format: format, output_config: { format } };
    expect((await test.ask("/v1/messages", body)).status).toBe(400);
  });

  it("answers what the newest clients always send, and names what has no effect", async () => {
    const newest = {
      thinking: { type: "adaptive" },
      output_config: { effort: "low" },
      context_management: { edits: [] },
    };
    const response = await test.ask("/v1/messages", { ...greedy, ...newest });
    expect([response.status, response.headers.get("x-hearth-ignored-fields")]).toEqual([
      200,
      "output_config.effort",
    ]);
    expect((await jsonOf<Message>(response)).content[0]?.text).toBe(await text({}));
  });

  it("names fields without effect in a header", async () => {
    const body = { ...greedy, metadata: { user_id: "x" }, thinking: { type: "disabled" } };
    const response = await test.ask("/v1/messages", body);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-hearth-ignored-fields")).toBe("metadata");
  });
});
