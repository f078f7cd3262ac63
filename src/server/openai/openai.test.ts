/** OpenAI's own client against the server: chats, completions, streams, errors. */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";

let test: TestServer;
let client: OpenAI;
beforeAll(async () => {
  test = await startTestServer({ apiKeys: ["sk-test"] });
  client = new OpenAI({
    baseURL: `${test.url}/v1`,
    apiKey: "sk-test",
    maxRetries: 0,
    fetch: test.fetch,
  });
});
afterAll(() => test[Symbol.asyncDispose]());

const messages = [{ role: "user", content: "Hello there" }] as const;
const chat = { model: "default", messages: [...messages], temperature: 0, max_tokens: 6 };
const text = { model: "default", prompt: "Once upon a time", temperature: 0, max_tokens: 6 };

async function collect<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("OpenAI's client", () => {
  it("lists the model and looks it up", async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual(["default"]);
    expect((await client.models.retrieve("default")).owned_by).toBe("hearth");
  });

  it("gets the answer to a conversation, with usage", async () => {
    const { choices, usage } = await client.chat.completions.create(chat);
    expect(choices).toHaveLength(1);
    expect(choices[0]?.message.role).toBe("assistant");
    expect(choices[0]?.finish_reason).toBe("length");
    expect(usage?.completion_tokens).toBe(6);
    expect(usage?.total_tokens).toBe(6 + (usage?.prompt_tokens ?? 0));
  });

  it("streams the same text, a role first and usage last", async () => {
    const whole = await client.chat.completions.create(chat);
    const stream = await client.chat.completions.create({
      ...chat,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await collect(stream);
    expect(chunks[0]?.choices[0]?.delta.role).toBe("assistant");
    const written = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
    expect(written).toBe(whole.choices[0]?.message.content);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("length");
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(6);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  });

  it("gets n answers, which a seed makes different and repeatable", async () => {
    const asked = { ...chat, temperature: 1, n: 3, seed: 7, max_tokens: 12 };
    const [once, again] = [
      await client.chat.completions.create(asked),
      await client.chat.completions.create(asked),
    ];
    const texts = once.choices.map(({ message }) => message.content);
    expect(new Set(texts).size).toBe(3);
    expect(again.choices.map(({ message }) => message.content)).toEqual(texts);
    expect(once.usage?.completion_tokens).toBe(36);
  });

  it("gets log-probabilities of tokens whose bytes make up the text", async () => {
    const { choices } = await client.chat.completions.create({
      ...chat,
      logprobs: true,
      top_logprobs: 3,
    });
    const content = choices[0]?.logprobs?.content ?? [];
    expect(content).toHaveLength(6);
    for (const { logprob, token, top_logprobs } of content) {
      expect(top_logprobs).toHaveLength(3);
      // Greedy: the token is the likeliest.
      expect([top_logprobs[0]?.token, top_logprobs[0]?.logprob]).toEqual([token, logprob]);
    }
    const bytes = content.flatMap((one) => one.bytes ?? []);
    expect(Buffer.from(bytes).toString()).toBe(choices[0]?.message.content);
  });

  it("continues texts and token ids, several at once", async () => {
    const one = await client.completions.create(text);
    const { choices, usage } = await client.completions.create({
      ...text,
      prompt: ["Once upon a time", "The king"],
      n: 2,
    });
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(choices[0]?.text).toBe(one.choices[0]?.text);
    expect(choices[2]?.text).not.toBe(one.choices[0]?.text);
    expect(usage?.completion_tokens).toBe(24);
    const byIds = await client.completions.create({ ...text, prompt: [1, 5, 9], echo: true });
    expect(byIds.choices[0]?.text.length).toBeGreaterThan(0);
  });

  it("streams a continuation that begins with its prompt", async () => {
    const stream = await client.completions.create({ ...text, echo: true, stream: true });
    const chunks = await collect(stream);
    const written = chunks.map(({ choices }) => choices[0]?.text ?? "").join("");
    const { choices } = await client.completions.create(text);
    expect(written).toBe(`${text.prompt}${choices[0]?.text}`);
  });

  it("gets the older form of log-probabilities, whose offsets find each token", async () => {
    const { choices } = await client.completions.create({ ...text, logprobs: 2 });
    const { tokens = [], text_offset = [], top_logprobs } = choices[0]?.logprobs ?? {};
    expect(tokens).toHaveLength(6);
    expect(tokens.join("")).toBe(choices[0]?.text);
    expect(text_offset[1]).toBe(tokens[0]?.length);
    expect(Object.keys(top_logprobs?.[0] ?? {})).toHaveLength(2);
  });

  it("gets the vector of each text, the same in both encodings", async () => {
    const input = ["Hello there", "Once upon a time"];
    const asked = { model: "default", input };
    const { data, usage } = await client.embeddings.create({ ...asked, encoding_format: "float" });
    expect(data).toHaveLength(2);
    expect(data[0]?.embedding).toHaveLength(256);
    expect(data[0]?.embedding).not.toEqual(data[1]?.embedding);
    expect(usage.prompt_tokens).toBeGreaterThan(4);
    // Without a format, the client asks for base64 and decodes it.
    const decoded = await client.embeddings.create(asked);
    expect([...(decoded.data[1]?.embedding ?? [])]).toEqual(data[1]?.embedding);
    const tokens = await client.embeddings.create({ ...asked, input: [[5, 6], [7]] });
    expect(tokens.usage.prompt_tokens).toBe(3);
  });

  it("gets the error of a wrong key, and of a prompt that is too long, with both numbers", async () => {
    const stranger = new OpenAI({
      baseURL: `${test.url}/v1`,
      apiKey: "sk-other",
      maxRetries: 0,
      fetch: test.fetch,
    });
    await expect(stranger.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
    const long = { ...chat, messages: [{ role: "user" as const, content: "word ".repeat(400) }] };
    const failure = await client.chat.completions.create(long).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.BadRequestError);
    expect(failure).toMatchObject({ code: "context_length_exceeded", error: { n_ctx: 256 } });
    expect(String(failure)).toMatch(/the prompt has \d{3} tokens, the context 256/);
    const streamed = client.chat.completions.create({ ...long, stream: true });
    await expect(streamed).rejects.toThrow(OpenAI.BadRequestError);
  });

  it("leaves a stream in the middle, and the next answer comes", async () => {
    const stream = await client.chat.completions.create({
      ...chat,
      max_tokens: 200,
      stream: true,
    });
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) break;
    }
    expect((await client.chat.completions.create(chat)).choices).toHaveLength(1);
  });
});
