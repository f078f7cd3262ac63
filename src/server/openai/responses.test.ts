/** OpenAI's Responses API by OpenAI's own client: whole, in a stream, with tools, thoughts and forms; nothing is stored. */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callingTokens, writeCallingModel } from "../../../test/fixtures/calling-model.ts";
import { type ModelFolder, modelFolder } from "../../../test/fixtures/changed-model.ts";
import { jsonOf, startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";

let folder: ModelFolder;
let test: TestServer;
let calling: TestServer;
let client: OpenAI;
let callingClient: OpenAI;
const clientOf = ({ url, fetch }: TestServer): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, fetch });
beforeAll(async () => {
  folder = modelFolder();
  test = await startTestServer();
  const model = await writeCallingModel(folder);
  calling = await startTestServer({ model, engine: { device: "reference" } });
  client = clientOf(test);
  callingClient = clientOf(calling);
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  await calling[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const asked = { model: "any", input: "Hello there", temperature: 0, max_output_tokens: 6 };
const tools = [{ type: "function", name: "add", parameters: {}, strict: false }] as const;

/** Fields beside OpenAI's own: the token that the model writes. */
function saying(word: keyof typeof callingTokens): object {
  return { logit_bias: { [callingTokens[word]]: 1e4 } };
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("a response", () => {
  it("says what a chat says, and that it was cut", async () => {
    const response = await client.responses.create(asked);
    const chat = await client.chat.completions.create({
      model: "any",
      messages: [{ role: "user", content: "Hello there" }],
      temperature: 0,
      max_tokens: 6,
    });
    expect(response.output_text).toBe(chat.choices[0]?.message.content);
    expect(response).toMatchObject({
      id: expect.stringMatching(/^resp_/),
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      store: false,
      output: [{ type: "message", id: expect.stringMatching(/^msg_/), status: "incomplete" }],
      usage: { input_tokens: chat.usage?.prompt_tokens, output_tokens: 6 },
    });
  });

  it("reads instructions and items as the conversation that they are", async () => {
    const read = async (body: object): Promise<number> => {
      const response = await client.responses.create({ ...asked, max_output_tokens: 1, ...body });
      return response.usage?.input_tokens ?? 0;
    };
    const prompt = async (messages: OpenAI.ChatCompletionMessageParam[]): Promise<number> => {
      const { usage } = await client.chat.completions.create({
        model: "any",
        messages,
        max_tokens: 1,
      });
      return usage?.prompt_tokens ?? 0;
    };
    const user = { role: "user", content: "Hi" } as const;
    const items = [
      { ...user, content: [{ type: "input_text", text: "Hi" }] },
      {
        type: "message",
        role: "assistant",
        content: [{ type: "output_text", text: "A", annotations: [] }],
      },
      user,
    ];
    expect(await read({ instructions: "Be short.", input: items })).toBe(
      await prompt([
        { role: "system", content: "Be short." },
        user,
        { role: "assistant", content: "A" },
        user,
      ]),
    );
  });

  it("comes in a stream of numbered events that make up the same response", async () => {
    const whole = await client.responses.create(asked);
    const events = await collect(await client.responses.create({ ...asked, stream: true }));
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i));
    const types = events.map(({ type }) => type);
    const deltas = types.filter((type) => type === "response.output_text.delta").length;
    expect(types).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      ...Array(deltas).fill("response.output_text.delta"),
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.incomplete",
    ]);
    const final = await client.responses.stream(asked).finalResponse();
    expect(final.output_text).toBe(whole.output_text);
    expect(final.output[0]?.id).toMatch(/^msg_/);
  });

  it("keeps to a form", async () => {
    const schema = { enum: ["king", "queen"] };
    const format = { type: "json_schema", name: "who", schema } as const;
    const body = { ...asked, max_output_tokens: 20, text: { format } };
    const response = await client.responses.create(body);
    expect(["king", "queen"]).toContain(JSON.parse(response.output_text));
    expect([response.status, response.incomplete_details]).toEqual(["completed", null]);
  });

  it("names in a header what has no effect, whatever its names are", async () => {
    const include = ["\ud87d\u0000\n", ...Array(1000).fill("x".repeat(100))];
    const response = await test.ask("/v1/responses", { ...asked, include });
    expect(response.status).toBe(200);
    const named = response.headers.get("x-hearth-ignored-fields") ?? "";
    expect(named).toMatch(/^include\.\?+, include\.x+/);
    expect(named.length).toBeLessThan(4000);
  });

  it("has log-probabilities where they are asked for", async () => {
    const { output } = await client.responses.create({
      ...asked,
      include: ["message.output_text.logprobs"],
      top_logprobs: 2,
    });
    const [message] = output;
    const part = message?.type === "message" ? message.content[0] : undefined;
    if (part?.type !== "output_text") throw new Error("no text");
    expect(part.logprobs?.map(({ token }) => token).join("")).toBe(part.text);
    expect(part.logprobs?.[0]?.top_logprobs).toHaveLength(2);
  });

  it.each<readonly [string, object]>([
    ["store", { store: true }],
    ["previous_response_id", { previous_response_id: "resp_1" }],
    ["background", { background: true }],
    ["truncation", { truncation: "auto" }],
    ["tools", { tools: [{ type: "web_search" }] }],
    ["input[0].type", { input: [{ type: "item_reference", id: "msg_1" }] }],
    ["input[0].content[0]", { input: [{ role: "user", content: [{ type: "input_image" }] }] }],
    ["text.format", { text: { format: { type: "json_schema", name: "x" } } }],
  ])("is refused by the name of %s", async (field, body) => {
    const response = await test.ask("/v1/responses", { ...asked, ...body });
    const { error } = await jsonOf<{ error: { param: string } }>(response);
    expect([response.status, error.param]).toEqual([400, expect.stringContaining(field)]);
  });
});

describe("a model that calls and thinks", () => {
  it("gives calls as items of their own, whose results come back", async () => {
    const body = { ...asked, max_output_tokens: 1, tools: [...tools], ...saying("call") };
    const { output, status } = await callingClient.responses.create(body);
    expect(output).toMatchObject([
      { type: "function_call", name: "add", arguments: '{"a": 1}', status: "completed" },
    ]);
    expect(status).toBe("incomplete");
    const streamed = await callingClient.responses.stream(body).finalResponse();
    expect(streamed.output).toMatchObject([{ type: "function_call", arguments: '{"a": 1}' }]);
    const [call] = output;
    if (call?.type !== "function_call") throw new Error("no call");
    const result = { type: "function_call_output", call_id: call.call_id, output: "2" } as const;
    const input = [{ role: "user", content: "Hello there" } as const, call, result];
    const next = await callingClient.responses.create({ ...body, input });
    const before = await callingClient.responses.create(body);
    expect(next.usage?.input_tokens).toBeGreaterThan((before.usage?.input_tokens ?? 0) + 5);
  });

  it("gives thoughts as items of their own", async () => {
    const body = { ...asked, max_output_tokens: 1, ...saying("thought") };
    const { output } = await callingClient.responses.create(body);
    expect(output[0]).toMatchObject({
      type: "reasoning",
      content: [{ type: "reasoning_text", text: "Hm." }],
    });
    const events = await collect(await callingClient.responses.create({ ...body, stream: true }));
    const types = events.map(({ type }) => type);
    expect(types).toContain("response.reasoning_text.delta");
    expect(types.at(-1)).toBe("response.incomplete");
  });
});
