/** npm's @anthropic-ai/sdk. */
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import {
  checkCity,
  checkPieces,
  checkTooLong,
  citySchema,
  failureOf,
  longQuestion,
  post,
  question,
  runTrials,
  untilIdle,
  url,
} from "./trials.mjs";

const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 });
const model = "any";
const messages = [{ role: "user", content: question }];
const greedy = { model, messages, max_tokens: 12, temperature: 0 };
const tools = [{ name: "look_up", description: "Facts of a city", input_schema: citySchema }];
let whole;

await runTrials("@anthropic-ai/sdk", {
  answer: async () => {
    const { content, usage, stop_reason } = await client.messages.create(greedy);
    whole = content[0].text;
    assert.deepEqual([usage.output_tokens, stop_reason], [12, "max_tokens"]);
    return JSON.stringify(whole);
  },
  stream: async () => {
    const pieces = [];
    const stream = client.messages.stream(greedy).on("text", (text) => pieces.push(text));
    const final = await stream.finalMessage();
    assert.equal(final.content[0].text, whole);
    return checkPieces(pieces, whole);
  },
  "an answer that is begun": async () => {
    const told = [...messages, { role: "assistant", content: "The king" }];
    const { text } = (await client.messages.create({ ...greedy, messages: told })).content[0];
    const { prompt } = await post("/apply-template", { messages: told });
    assert.ok(prompt.endsWith("The king"));
    const { content } = await post("/completion", { prompt, n_predict: 12, temperature: 0 });
    assert.equal(text, content);
    return JSON.stringify(text);
  },
  "a tool that must be called, and its result": async () => {
    const tool_choice = { type: "any" };
    const asked = { model, messages, tools, tool_choice, max_tokens: 100 };
    const { content, stop_reason } = await client.messages.create(asked);
    assert.equal(stop_reason, "tool_use");
    const { id, input } = content.find(({ type }) => type === "tool_use");
    const result = { type: "tool_result", tool_use_id: id, content: "It is a city." };
    const told = [...messages, { role: "assistant", content }, { role: "user", content: [result] }];
    await client.messages.create({ ...greedy, tools, messages: told });
    return checkCity(input);
  },
  "a tool call in a stream": async () => {
    const tool_choice = { type: "tool", name: "look_up" };
    const asked = { model, messages, tools, tool_choice, max_tokens: 100 };
    const { content } = await client.messages.stream(asked).finalMessage();
    return checkCity(content.find(({ type }) => type === "tool_use").input);
  },
  "output_config.format": async () => {
    const format = { type: "json_schema", schema: citySchema };
    const asked = { ...greedy, max_tokens: 100, output_config: { format } };
    return checkCity((await client.messages.create(asked)).content[0].text);
  },
  "count tokens, models": async () => {
    const { input_tokens } = await client.messages.countTokens({ model, messages });
    assert.ok(input_tokens > 2);
    return `${input_tokens} tokens`;
  },
  "a prompt that is too long": async () => {
    const asked = { ...greedy, messages: [{ role: "user", content: longQuestion }] };
    const error = await failureOf(client.messages.create(asked));
    assert.ok(error instanceof Anthropic.BadRequestError);
    return checkTooLong(error);
  },
  "a stream that is left": async () => {
    let pieces = 0;
    for await (const _ of client.messages.stream({ ...greedy, max_tokens: 900 })) {
      if (++pieces === 6) break;
    }
    return untilIdle();
  },
});
