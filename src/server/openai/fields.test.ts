/** Every field that a body may have changes the answer; every other one is refused by its name, or told. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { modelFolder } from "../../../test/fixtures/changed-model.ts";
import { jsonOf, startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";
import { metadataValue } from "../../gguf/value.ts";
import { chatFields } from "./chat-body.ts";
import { completionFields } from "./completions-body.ts";

type Body = Readonly<Record<string, unknown>>;

/** It shows what it is given beside the messages. */
const template =
  "{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}{{ reasoning_effort }}{{ mood }}{% for t in tools or [] %}{{ t.function.name }}{% endfor %}";

const folder = modelFolder();
let test: TestServer;
let lenient: TestServer;
beforeAll(async () => {
  const keys = { "tokenizer.chat_template": metadataValue.string(template) };
  const model = await folder.write("--arch llama --type f32", { keys });
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
const drawn = { ...greedy, temperature: 1.5, seed: 1, top_k: 0, top_p: 1, min_p: 0 };
/** One token again and again, until something is held against it. */
const again = { ...greedy, logit_bias: { 100: 60 } };
const dry = { ...again, dry_multiplier: 1 };
const mirostat = { ...drawn, mirostat: 2 };
const xtc = { ...drawn, xtc_probability: 1, xtc_threshold: 0.001 };
const dynatemp = { ...drawn, dynatemp_range: 1 };
const tools = [{ type: "function", function: { name: "look_up", parameters: {} } }];

/** For each sampling field: the body without it, and a value. */
const sampling: Readonly<Record<string, readonly [Body, unknown]>> = {
  temperature: [drawn, 0],
  top_k: [drawn, 1],
  top_p: [drawn, 0.01],
  min_p: [drawn, 1],
  typical_p: [drawn, 0.01],
  top_n_sigma: [drawn, 0.1],
  xtc_probability: [{ ...xtc, xtc_probability: 0 }, 1],
  xtc_threshold: [xtc, 0.5],
  dynatemp_range: [{ ...dynatemp, dynatemp_range: 0 }, 1.4],
  dynatemp_exponent: [dynatemp, 20],
  mirostat: [drawn, 2],
  mirostat_tau: [mirostat, 0.1],
  mirostat_eta: [{ ...mirostat, mirostat_tau: 1 }, 1],
  dry_multiplier: [again, 1],
  dry_base: [dry, 1.01],
  dry_allowed_length: [dry, 40],
  dry_penalty_last_n: [dry, 1],
  dry_sequence_breakers: [{ ...dry, max_tokens: 20 }, ["a", "e", "i", "o", "A", "B", "a"]],
  repeat_penalty: [again, 1000],
  repeat_last_n: [{ ...again, repeat_penalty: 1000 }, 0],
  presence_penalty: [again, 100],
  frequency_penalty: [again, 50],
  logit_bias: [greedy, { 100: 60 }],
  seed: [{ ...drawn, seed: 1 }, 2],
  stop: [greedy, []],
  grammar: [ending, 'root ::= "zz" | "yy"'],
  json_schema: [ending, { enum: ["zz", "yy"] }],
  ignore_eos: [{ max_tokens: 8, temperature: 0, logit_bias: { 2: 60 } }, true],
};

const shared: typeof sampling = {
  max_tokens: [greedy, 3],
  n: [drawn, 2],
  stream: [greedy, true],
  stream_options: [{ ...greedy, stream: true }, { include_usage: true }],
};

const chat: typeof sampling = {
  messages: [greedy, [...messages, { role: "assistant", content: "Hi" }]],
  tools: [greedy, tools],
  tool_choice: [{ ...greedy, tools }, "none"],
  response_format: [ending, { type: "json_schema", json_schema: { schema: { enum: ["zz"] } } }],
  max_completion_tokens: [{ ...greedy, max_tokens: undefined }, 3],
  logprobs: [greedy, true],
  top_logprobs: [{ ...greedy, logprobs: true }, 2],
  reasoning_effort: [greedy, "high"],
  chat_template_kwargs: [greedy, { mood: "merry" }],
};

const completions: typeof sampling = {
  prompt: [greedy, "Good day"],
  echo: [greedy, true],
  logprobs: [greedy, 1],
};

function namesIn(schema: z.ZodType): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** What of an answer does not change from one request to the next. */
function lasting(text: string): string {
  return text
    .replaceAll(/"(id|created|timings)":("[^"]*"|\d+|\{[^}]*\})/g, '"$1":0')
    .replaceAll(/"cached_tokens":\d+/g, '"cached_tokens":0');
}

/** Texts that stop strings and breakers are made of: those that the body's own answer has. */
async function usedValue(
  field: string,
  value: unknown,
  ask: (body: Body) => Promise<string>,
  base: Body,
): Promise<unknown> {
  if (field !== "stop" && field !== "dry_sequence_breakers") return value;
  const { choices } = JSON.parse(await ask(base)) as {
    choices: { message: { content: string } }[];
  };
  const text = choices[0]?.message.content ?? "";
  return field === "stop" ? text.slice(2, 4) : [...new Set(text)].filter((one) => one !== " ");
}

const chatPath = "/v1/chat/completions";
const completionPath = "/v1/completions";

describe.each([
  [chatPath, { messages }, { ...sampling, ...shared, ...chat }, namesIn(chatFields.schema)],
  [
    completionPath,
    { prompt: "Hello" },
    { ...shared, ...completions },
    namesIn(completionFields.schema),
  ],
])("%s", (path, own, table, names) => {
  const ask = async (body: Body): Promise<string> => {
    const response = await test.ask(path, { ...own, ...body });
    const text = await response.text();
    expect(response.status, text).toBe(200);
    return lasting(text);
  };

  it("has an entry here for every field but the model's name, and completions have the samplers of chats", () => {
    const tested = new Set([...Object.keys(table), ...Object.keys(sampling), "model"]);
    // Of parallel calls, tools.test.ts has a model that makes some.
    const expected = names.filter((name) => name !== "parallel_tool_calls");
    expect([...tested].sort()).toEqual([...expected].sort());
  });

  it.each(Object.entries(table))("answers otherwise with %s", async (field, [base, value]) => {
    const changed = { ...base, [field]: await usedValue(field, value, ask, base) };
    const [before, same, after] = await Promise.all([ask(base), ask(base), ask(changed)]);
    expect(same).toBe(before);
    expect(after).not.toBe(before);
  });

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
    expect(await ask({ ...greedy, stop: null, grammar: null, no_such: null })).toBe(
      await ask(greedy),
    );
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
    ["cache_prompt", false, true],
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
    expect(await asked([...messages, sentBack])).toBeGreaterThan(await asked(messages));
  });

  it.each([
    [{ max_tokens: 3, max_completion_tokens: 4 }, "max_completion_tokens"],
    [{ top_logprobs: 2 }, "top_logprobs"],
    [{ n: 1000 }, "n"],
    [{ tool_choice: "any", tools }, "tool_choice"],
    [{ temperature: -1 }, "temperature"],
    [{ logit_bias: { 100: "x" } }, "logit_bias"],
    [{ stream_options: { usage: true } }, "stream_options"],
  ])("refuses %j and names the field", async (body, param) => {
    const response = await test.ask(chatPath, { messages, ...body });
    const { error } = await jsonOf<{ error: { param: string } }>(response);
    expect([response.status, error.param]).toEqual([400, param]);
  });
});
