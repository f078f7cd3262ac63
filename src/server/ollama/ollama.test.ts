/** Ollama's interface, by its own client and by hand, against the bundled model. */
import { Ollama } from "ollama";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonOf, startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";
import { parseDuration } from "./durations.ts";

let test: TestServer;
let client: Ollama;
beforeAll(async () => {
  test = await startTestServer({ parallel: 2, contextLength: 256 });
  client = new Ollama({ host: test.url });
});
afterAll(() => test[Symbol.asyncDispose]());

const model = "default";
const greedy = { temperature: 0, num_predict: 8 };
const messages = [{ role: "user", content: "Tell me of the king" }];
const prompt = "Once upon a time";

interface Answer {
  readonly response: string;
  readonly eval_count: number;
  readonly done_reason: string;
  readonly error?: string;
}

const generate = async (body: object): Promise<Answer> =>
  jsonOf(await test.ask("/api/generate", { model, prompt, raw: true, stream: false, ...body }));
const text = async (options: object): Promise<string> => (await generate({ options })).response;

describe("Ollama's client", () => {
  it("chats, whole and in a stream, with counts and nanoseconds", async () => {
    const whole = await client.chat({ model, messages, options: greedy });
    expect(whole).toMatchObject({ model, done: true, done_reason: "length", eval_count: 8 });
    expect(whole.message).toEqual({ role: "assistant", content: expect.any(String) });
    expect(whole.prompt_eval_count).toBeGreaterThan(4);
    expect(whole.total_duration).toBeGreaterThanOrEqual(
      whole.prompt_eval_duration + whole.eval_duration,
    );
    expect(whole.eval_duration).toBeGreaterThan(10_000);
    expect(Number.isInteger(whole.total_duration)).toBe(true);
    const parts = [];
    for await (const part of await client.chat({
      model,
      messages,
      options: greedy,
      stream: true,
    })) {
      parts.push(part);
    }
    expect(parts.map(({ message }) => message.content).join("")).toBe(whole.message.content);
    expect(parts.map(({ done }) => done)).toEqual([...parts.slice(1).map(() => false), true]);
    expect(parts.at(-1)).toMatchObject({ done_reason: "length", eval_count: 8 });
  });

  it("continues prompts", async () => {
    const whole = await client.generate({ model, prompt, raw: true, options: greedy });
    const parts = [];
    const stream = { model, prompt, raw: true, stream: true, options: greedy } as const;
    for await (const part of await client.generate(stream)) parts.push(part.response);
    expect(parts.join("")).toBe(whole.response);
    expect(whole.response).not.toBe("");
  });

  it("lists, shows and loads models, and sends them away", async () => {
    const { models } = await client.list();
    expect(models).toHaveLength(1);
    expect(models[0]).toMatchObject({ name: model, details: { format: "gguf", family: "arcee" } });
    expect(models[0]!.digest).toMatch(/^[0-9a-f]{64}$/);
    const shown = await client.show({ model });
    expect(shown.model_info).toMatchObject({
      "general.architecture": "arcee",
      "general.name": "hearth default 5M",
      "arcee.block_count": 4,
      "arcee.rope.freq_base": 10_000,
    });
    expect(shown.capabilities).toEqual(["completion", "embedding"]);
    expect((await test.ask("/api/show", { model: "" })).status).toBe(400);
    const loaded = await jsonOf(await test.ask("/api/generate", { model, stream: false }));
    expect(loaded).toMatchObject({ response: "", done: true, done_reason: "load" });
    expect((await client.ps()).models).toMatchObject([{ name: model, size_vram: 0 }]);
    const gone = await jsonOf(
      await test.ask("/api/chat", { model, messages: [], keep_alive: 0, stream: false }),
    );
    expect(gone).toMatchObject({ done: true, done_reason: "unload" });
    expect((await client.ps()).models).toEqual([]);
    await client.generate({ model, prompt, keep_alive: "10m", options: { num_predict: 1 } });
    const [back] = (await client.ps()).models;
    const minutes = (new Date(back!.expires_at).getTime() - Date.now()) / 60_000;
    expect(minutes).toBeGreaterThan(9);
    expect(minutes).toBeLessThanOrEqual(10);
    await client.generate({ model, prompt, keep_alive: -1, options: { num_predict: 1 } });
    expect(new Date((await client.ps()).models[0]!.expires_at).getFullYear()).toBe(9999);
  });

  it("embeds texts", async () => {
    const { embeddings, prompt_eval_count } = await client.embed({ model, input: ["a", "b"] });
    expect(embeddings).toHaveLength(2);
    const length = (vector: readonly number[]): number => Math.hypot(...vector);
    expect(embeddings.map(length)).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)]);
    expect(prompt_eval_count).toBeGreaterThanOrEqual(2);
    const { embeddings: one } = await client.embed({ model, input: "a" });
    expect(one).toEqual([embeddings[0]!.map((value) => expect.closeTo(value, 5))]);
    const { embedding } = await client.embeddings({ model, prompt: "a" });
    expect(length(embedding)).toBeGreaterThan(2);
    expect(embedding.map((value) => value / length(embedding))).toEqual(
      embeddings[0]!.map((value) => expect.closeTo(value, 5)),
    );
  });

  it("is told that a text is too long, with both numbers, and can have it cut", async () => {
    const input = "king ".repeat(300);
    await expect(client.embed({ model, input })).rejects.toThrow(/30\d tokens.* 256/);
    expect((await client.embed({ model, input, truncate: true })).prompt_eval_count).toBe(256);
    const long = client.generate({ model, prompt: input, raw: true });
    await expect(long).rejects.toThrow(/30\d tokens.* 256/);
  });
});

describe("an option", () => {
  it.each<readonly [string, object]>([
    ["num_predict", { num_predict: 3 }],
    ["temperature and seed", { temperature: 3, seed: 2, top_k: 0, top_p: 1, min_p: 0 }],
    ["repeat_penalty", { repeat_penalty: 30 }],
    ["presence_penalty", { presence_penalty: 90, repeat_last_n: -1 }],
    ["frequency_penalty", { frequency_penalty: 90 }],
    ["stop", { stop: [" "] }],
  ])("changes the answer: %s", async (_, options) => {
    const plain = await text({ ...greedy, num_predict: 16 });
    expect(await text({ ...greedy, num_predict: 16, ...options })).not.toBe(plain);
  });

  it.each<readonly [string, object]>([
    ["top_k", { top_k: 1 }],
    ["top_p", { top_p: 0.001 }],
    ["min_p", { min_p: 1 }],
    ["mirostat", { mirostat: 2, mirostat_tau: 0.01 }],
  ])("leaves only the likeliest token: %s", async (_, options) => {
    const hot = { num_predict: 8, temperature: 2, seed: 4, top_k: 0, top_p: 1, min_p: 0 };
    const greediest = await text(greedy);
    expect(await text(hot)).not.toBe(greediest);
    expect(await text({ ...hot, ...options })).toBe(greediest);
  });

  it("takes seeds: the same one, the same text", async () => {
    const draw = (seed: number): Promise<string> => text({ num_predict: 8, temperature: 2, seed });
    expect(await draw(7)).toBe(await draw(7));
    expect(await draw(8)).not.toBe(await draw(7));
  });

  it.each<readonly [string, object, RegExp]>([
    ["a context that is not there", { options: { num_ctx: 512 } }, /num_ctx: 512 .* 256/],
    ["a schema that cannot be kept", { format: { type: "strang" } }, /strang/],
    ["an unknown option", { options: { temperatur: 1 } }, /did you mean "temperature"/],
    ["an option beside the options", { temperature: 1 }, /temperature belongs into options/],
    ["a field among the options", { options: { stream: true } }, /options.stream belongs/],
    ["thinking of a model that does not", { raw: false, think: true }, /^think: /],
    ["a system message with raw", { system: "x" }, /^system: /],
    ["images", { images: ["aGk="] }, /^images: /],
    ["a wrong duration", { keep_alive: "soon" }, /keep_alive: .*"soon"/],
    ["options that are none", { options: 3 }, /options: expected an object/],
    ["no model", { model: undefined }, /^model: /],
  ])("is refused by its name: %s", async (_, body, message) => {
    const response = await test.ask("/api/generate", { model, prompt, raw: true, ...body });
    expect(response.status).toBe(400);
    expect((await jsonOf<Answer>(response)).error).toMatch(message);
  });

  it("without effect is named in a header; one that fits asks for nothing", async () => {
    const response = await test.ask("/api/generate", {
      model,
      prompt,
      format: "",
      think: false,
      stream: false,
      options: { num_gpu: 99, embedding_only: false, num_ctx: 256, num_predict: 1 },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-hearth-ignored-fields")).toBe("num_gpu, embedding_only");
  });

  it("tools, thoughts and results of calls come into the conversation", async () => {
    const tool = { type: "function", function: { name: "king", description: "d", parameters: {} } };
    const count = async (body: object): Promise<number> => {
      const asked = { model, messages, stream: false, options: { num_predict: 1 }, ...body };
      const response = await test.ask("/api/chat", asked);
      return (await jsonOf<{ prompt_eval_count: number }>(response)).prompt_eval_count;
    };
    const plain = await count({});
    expect(await count({ tools: [tool] })).toBeGreaterThan(plain + 5);
    const call = { function: { name: "king", arguments: { year: 1 } } };
    const talk = [
      { role: "user", content: "x" },
      { role: "assistant", content: "", tool_calls: [call], thinking: "hm" },
      { role: "tool", tool_name: "king", content: "Henry" },
    ];
    const asked = { messages: talk, tools: [tool] };
    expect(await count(asked)).toBeGreaterThan(
      await count({ messages: talk.slice(0, 1), tools: [tool] }),
    );
  });

  it("format promises JSON, or what a schema says", async () => {
    const schema = {
      type: "object",
      properties: { year: { enum: [1066, 1100] } },
      required: ["year"],
      additionalProperties: false,
    };
    const kept = await generate({ format: schema, options: { seed: 3, temperature: 2 } });
    expect([1066, 1100]).toContain(JSON.parse(kept.response).year);
    const any = await generate({ format: "json", options: { num_predict: 3 } });
    expect(any.response.trimStart()[0]).toBe("{");
  });

  it("system begins the conversation; without raw the template is used", async () => {
    const plain = await generate({ raw: false, options: greedy });
    const long = await generate({ raw: false, system: "You are kind.", options: greedy });
    const raw = await generate({ options: greedy });
    expect(new Set([plain.response, long.response, raw.response]).size).toBe(3);
  });
});

describe("the greeting", () => {
  it("is Ollama's line, but not to a browser", async () => {
    expect(await (await test.ask("/")).text()).toBe("Ollama is running");
    const head = await fetch(test.url, { method: "HEAD" });
    expect(head.status).toBe(200);
    const page = await test.ask("/", undefined, { accept: "text/html,*/*" });
    expect(page.headers.get("content-type")).toMatch(/^text\/(html|plain)/);
    expect(await page.text()).not.toBe("Ollama is running");
  });

  it("takes seeds of 64 bits", async () => {
    const seeded = (seed: number): Promise<string> =>
      client
        .generate({ model, prompt, options: { seed, temperature: 2, num_predict: 8 } })
        .then(({ response = "" }) => response);
    expect(await seeded(2 ** 62)).toBe(await seeded(2 ** 62));
    expect(await seeded(2 ** 62 + 2 ** 20)).not.toBe(await seeded(2 ** 62));
    const half = await test.ask("/api/generate", { model, prompt, options: { seed: 0.5 } });
    expect(half.status).toBe(400);
  });

  it("comes with a version that clients take", async () => {
    const { version } = await jsonOf<{ version: string }>(await test.ask("/api/version"));
    expect(version).toMatch(/^0\.\d+\.\d+$/);
  });
});

it.each([
  ["POST", "/api/pull", /hearth pull/],
  ["DELETE", "/api/delete", /hearth rm/],
])("changes to models are refused: %s %s", async (method, path, instead) => {
  const response = await fetch(`${test.url}${path}`, { method, body: "{}" });
  expect(response.status).toBe(400);
  expect((await jsonOf<Answer>(response)).error).toMatch(instead);
});

it.each<readonly [string, number | undefined]>([
  ["5m", 300_000],
  ["1h30m", 5_400_000],
  ["1.5s", 1500],
  ["-1m", -60_000],
  ["300ms", 300],
  ["0", 0],
  ["5", undefined],
  ["5 m", undefined],
  ["", undefined],
])("the duration %j is %s milliseconds", (written, expected) => {
  expect(parseDuration(written)).toBe(expected);
});
