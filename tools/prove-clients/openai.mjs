/** npm's openai: chats, completions, responses, embeddings. */
import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
  checkCity,
  checkPieces,
  checkTooLong,
  checkVector,
  citySchema,
  failureOf,
  longQuestion,
  lookUp,
  question,
  runTrials,
  untilIdle,
  url,
} from "./trials.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const model = "any";
const messages = [{ role: "user", content: question }];
const greedy = { model, messages, max_tokens: 12, temperature: 0 };
const tools = [{ type: "function", function: lookUp }];
const City = z.object({ city: z.enum(["Rome", "Oslo"]), isLarge: z.boolean() });
let whole;

await runTrials("openai (npm)", {
  answer: async () => {
    const answer = await client.chat.completions.create(greedy);
    whole = answer.choices[0].message.content;
    assert.equal(answer.usage.completion_tokens, 12);
    return JSON.stringify(whole);
  },
  "stream with usage": async () => {
    const options = { stream: true, stream_options: { include_usage: true } };
    const pieces = [];
    let usage;
    for await (const chunk of await client.chat.completions.create({ ...greedy, ...options })) {
      const { content } = chunk.choices[0]?.delta ?? {};
      if (content) pieces.push(content);
      usage = chunk.usage ?? usage;
    }
    assert.equal(usage.completion_tokens, 12);
    return checkPieces(pieces, whole);
  },
  "chat.completions.stream": async () => {
    const final = await client.chat.completions.stream(greedy).finalChatCompletion();
    assert.equal(final.choices[0].message.content, whole);
    return "the same text";
  },
  "a tool that must be called, and its result": async () => {
    const asked = { model, messages, tools, tool_choice: "required", max_tokens: 100 };
    const { message, finish_reason } = (await client.chat.completions.create(asked)).choices[0];
    assert.equal(finish_reason, "tool_calls");
    const [call] = message.tool_calls;
    const result = { role: "tool", tool_call_id: call.id, content: "It is a city." };
    const further = { ...greedy, tools, messages: [...messages, message, result] };
    await client.chat.completions.create(further);
    return checkCity(call.function.arguments);
  },
  "a tool call in a stream": async () => {
    const asked = { model, messages, tools, tool_choice: "required", max_tokens: 100 };
    const stream = client.chat.completions.stream(asked);
    const [call] = (await stream.finalChatCompletion()).choices[0].message.tool_calls;
    return checkCity(call.function.arguments);
  },
  "parse with zodResponseFormat": async () => {
    const response_format = zodResponseFormat(City, "city");
    const asked = { ...greedy, max_tokens: 100, response_format };
    return checkCity((await client.chat.completions.parse(asked)).choices[0].message.parsed);
  },
  "runTools calls the function": async () => {
    let given;
    const note = (input) => {
      given = input;
      return "Yes.";
    };
    const look = { ...lookUp, parse: JSON.parse, function: note };
    const runner = client.chat.completions.runTools({
      model,
      messages,
      max_tokens: 100,
      tools: [{ type: "function", function: look }],
      tool_choice: { type: "function", function: { name: "look_up" } },
    });
    await runner.done().catch(() => undefined);
    return checkCity(given);
  },
  "logprobs and n": async () => {
    const asked = { ...greedy, temperature: 1, seed: 1, n: 2, logprobs: true, top_logprobs: 3 };
    const { choices } = await client.chat.completions.create(asked);
    assert.equal(choices.length, 2);
    assert.equal(choices[1].logprobs.content[0].top_logprobs.length, 3);
    return `${choices[0].logprobs.content.length} tokens`;
  },
  completions: async () => {
    const asked = { model, prompt: question, max_tokens: 5, temperature: 0, echo: true };
    const { text } = (await client.completions.create(asked)).choices[0];
    assert.ok(text.startsWith(question));
    return JSON.stringify(text);
  },
  "responses, whole, in a stream, parsed": async () => {
    const asked = { model, input: question, max_output_tokens: 100 };
    const { output_text } = await client.responses.create({ ...asked, temperature: 0 });
    let streamed = "";
    const stream = await client.responses.create({ ...asked, temperature: 0, stream: true });
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") streamed += event.delta;
    }
    assert.equal(streamed, output_text);
    const text = { format: zodTextFormat(City, "city") };
    return checkCity((await client.responses.parse({ ...asked, text })).output_parsed);
  },
  embeddings: async () => {
    const { data } = await client.embeddings.create({ model, input: ["a", "b"] });
    assert.equal(data.length, 2);
    // The client asks for base64 by itself.
    const plain = await client.embeddings.create({ model, input: "a", encoding_format: "float" });
    assert.deepEqual(data[0].embedding.map(Math.fround), plain.data[0].embedding.map(Math.fround));
    return checkVector(data[0].embedding);
  },
  models: async () => {
    const names = [];
    for await (const one of client.models.list()) names.push(one.id);
    assert.equal(names.length, 1);
    return (await client.models.retrieve(names[0])).id;
  },
  "a prompt that is too long": async () => {
    const asked = { ...greedy, messages: [{ role: "user", content: longQuestion }] };
    const error = await failureOf(client.chat.completions.create(asked));
    assert.ok(error instanceof OpenAI.BadRequestError);
    return checkTooLong(error);
  },
  "an unknown field, a schema that cannot be kept": async () => {
    const unknown = await failureOf(client.chat.completions.create({ ...greedy, temprature: 1 }));
    assert.match(unknown.message, /temperature/);
    const schema = { ...citySchema, unevaluatedThings: true };
    const response_format = { type: "json_schema", json_schema: { name: "x", schema } };
    const refused = await failureOf(client.chat.completions.create({ ...greedy, response_format }));
    assert.equal(refused.status, 400);
    return refused.message.slice(0, 100);
  },
  "a stream that is left": async () => {
    const asked = { ...greedy, max_tokens: 900, stream: true };
    const stream = await client.chat.completions.create({ ...asked, ignore_eos: true });
    let pieces = 0;
    for await (const _ of stream) if (++pieces === 3) break;
    return untilIdle();
  },
});
