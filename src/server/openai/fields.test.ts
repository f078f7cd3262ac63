/** Fields that have no effect are told, others are refused by their names. What the rest changes: ../fields.test.ts. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { modelFolder } from "../../../test/fixtures/changed-model.ts";
import { jsonOf, startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";
import { chatFields } from "./chat-body.ts";
import { completionFields } from "./completions-body.ts";

const folder = modelFolder();
let test: TestServer;
let lenient: TestServer;
beforeAll(async () => {
  const model = await folder.write("--arch llama --type f32");
  test = await startTestServer({ model, contextLength: 1024 });
  lenient = await startTestServer({ model, contextLength: 1024, unknownFields: "ignore" });
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  await lenient[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const messages = [{ role: "user", content: "Hello" }];
const greedy = { max_tokens: 16, temperature: 0, ignore_eos: true };
const ending = { max_tokens: 16, temperature: 0 };
const tools = [{ type: "function", function: { name: "look_up", parameters: {} } }];

function namesIn(schema: z.ZodType): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

const chatPath = "/v1/chat/completions";
const completionPath = "/v1/completions";

describe.each([
  [chatPath, { messages }, namesIn(chatFields.schema)],
  [completionPath, { prompt: "Hello" }, namesIn(completionFields.schema)],
])("%s", (path, own, names) => {
  it.each<readonly [string, unknown]>([
    ["grammar", "root ::= nowhere"],
    ["json_schema", { type: "strang" }],
  ])("refuses a form that cannot be kept: %s", async (field, value) => {
    const response = await test.ask(path, { ...own, ...ending, [field]: value });
    const { error } = await jsonOf<{ error: { type: string } }>(response);
    expect([response.status, error.type]).toEqual([400, "invalid_request_error"]);
  });

  it("refuses a field that it does not know, and names the one that was meant", async () => {
    const response = await test.ask(path, { ...own, max_toks: 3 });
    const { error } = await jsonOf<{ error: { message: string; param: string } }>(response);
    expect([response.status, error.param]).toEqual([400, "max_toks"]);
    expect(error.message).toContain('did you mean "max_tokens"?');
  });

  it("takes a field without a value for one that was not given", async () => {
    const nothing = { stop: null, grammar: null, no_such: null };
    const response = await test.ask(path, { ...own, ...greedy, ...nothing });
    expect([response.status, response.headers.get("x-hearth-ignored-fields")]).toEqual([200, null]);
  });

  it.each([
    ["user", "somebody"],
    ["store", true],
    ["metadata", { a: "b" }],
    ["service_tier", "auto"],
  ])("tells in a header that %s changes nothing", async (field, value) => {
    const response = await test.ask(path, { ...own, ...greedy, [field]: value });
    expect([response.status, response.headers.get("x-hearth-ignored-fields")]).toEqual([
      200,
      field,
    ]);
  });

  it.each([
    ["modalities", ["audio"], ["text"]],
    ["lora", [{ id: 0 }], []],
    ["t_max_predict_ms", 100, -1],
  ])("refuses %s by its name, unless its value asks for nothing", async (field, value, neutral) => {
    const response = await test.ask(path, { ...own, ...greedy, [field]: value });
    const { error } = await jsonOf<{ error: { param: string; type: string } }>(response);
    expect([response.status, error]).toMatchObject([
      400,
      { param: field, type: "not_supported_error" },
    ]);
    expect((await test.ask(path, { ...own, ...greedy, [field]: neutral })).status).toBe(200);
  });

  it("takes unknown fields where the server was told to, and tells them", async () => {
    const response = await lenient.ask(path, { ...own, ...greedy, new_thing: 1, user: "x" });
    expect([response.status, response.headers.get("x-hearth-ignored-fields")]).toEqual([
      200,
      "new_thing, user",
    ]);
  });

  it("answers whatever stands in a field with 200 or 400, never with an error of its own", async () => {
    const field = fc.constantFrom(...names.filter((name) => !["n", "stream"].includes(name)));
    const asked = fc.asyncProperty(field, fc.jsonValue({ maxDepth: 2 }), async (name, value) => {
      const response = await test.ask(path, { ...own, max_tokens: 1, [name]: value });
      const text = await response.text();
      expect([200, 400], text).toContain(response.status);
    });
    await fc.assert(asked, { numRuns: 150, seed: 18 });
  });
});

describe("a chat", () => {
  it.each([chatPath, "/v1/responses"])("has as many tokens as are counted: %s", async (path) => {
    const asked = path === chatPath ? { messages } : { input: messages };
    const counted = await jsonOf<{ input_tokens: number }>(
      await test.ask(`${path}/input_tokens`, asked),
    );
    const limit = path === chatPath ? { max_tokens: 1 } : { max_output_tokens: 1 };
    const { usage } = await jsonOf<{ usage: Readonly<Record<string, number>> }>(
      await test.ask(path, { ...asked, ...limit }),
    );
    expect(counted.input_tokens).toBe(usage["prompt_tokens"] ?? usage["input_tokens"]);
  });

  it.each([
    ["an image", [{ type: "image_url", image_url: { url: "x" } }], "messages[0].content[0]"],
    ["a part without text", [{ type: "text" }], "messages[0].content[0]"],
    ["a number", 3, "messages[0].content"],
  ])("refuses %s as content", async (_, content, param) => {
    const response = await test.ask(chatPath, { messages: [{ role: "user", content }] });
    const { error } = await jsonOf<{ error: { param: string } }>(response);
    expect([response.status, error.param]).toEqual([400, param]);
  });

  it("reads parts of text as one text, and an assistant's message as it was sent", async () => {
    const asked = async (turns: readonly unknown[]): Promise<number> => {
      const response = await test.ask(chatPath, { messages: turns, ...greedy, max_tokens: 1 });
      return (await jsonOf<{ usage: { prompt_tokens: number } }>(response)).usage.prompt_tokens;
    };
    const parts = [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ];
    expect(await asked([{ role: "user", content: parts }])).toBe(
      await asked([{ role: "user", content: "a\nb" }]),
    );
    const sentBack = { role: "assistant", content: "x", refusal: null, annotations: [] };
    const [first] = messages;
    expect(await asked([...messages, sentBack, first])).toBeGreaterThan(await asked(messages));
  });

  it.each([
    [{ max_tokens: 3, max_completion_tokens: 4 }, "max_completion_tokens"],
    [{ top_logprobs: 2 }, "top_logprobs"],
    [{ n: 1000 }, "n"],
    [{ tool_choice: "any", tools }, "tool_choice"],
    [{ temperature: -1 }, "temperature"],
    [{ logit_bias: { 100: "x" } }, "logit_bias"],
    [{ stream_options: { usage: true } }, "stream_options"],
    [{ continue_final_message: true }, "continue_final_message"],
    [{ continue_final_message: true, add_generation_prompt: true }, "continue_final_message"],
  ])("refuses %j and names the field", async (body, param) => {
    const response = await test.ask(chatPath, { messages, ...body });
    const { error } = await jsonOf<{ error: { param: string } }>(response);
    expect([response.status, error.param]).toEqual([400, param]);
  });
});
