/** npm's ollama. */
import assert from "node:assert/strict";
import { Ollama } from "ollama";
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

const client = new Ollama({ host: url });
const [{ name: model }] = (await client.list()).models;
const messages = [{ role: "user", content: question }];
const greedy = { model, messages, options: { num_predict: 12, temperature: 0 } };
let whole;

await runTrials("ollama (npm)", {
  answer: async () => {
    const answer = await client.chat(greedy);
    whole = answer.message.content;
    assert.deepEqual([answer.eval_count, answer.done_reason], [12, "length"]);
    return JSON.stringify(whole);
  },
  stream: async () => {
    const pieces = [];
    for await (const { message } of await client.chat({ ...greedy, stream: true })) {
      if (message.content) pieces.push(message.content);
    }
    return checkPieces(pieces, whole);
  },
  generate: async () => {
    const asked = { model, prompt: question, options: greedy.options };
    return JSON.stringify((await client.generate(asked)).response);
  },
  "tools are told": async () => {
    const tools = [{ type: "function", function: lookUp }];
    const { prompt_eval_count: told } = await client.chat({ ...greedy, tools });
    const { prompt_eval_count: plain } = await client.chat(greedy);
    assert.ok(told > plain);
    return `${told} tokens in place of ${plain}`;
  },
  "format: a schema": async () => {
    const asked = { ...greedy, format: citySchema, options: { num_predict: 100 } };
    return checkCity((await client.chat(asked)).message.content);
  },
  embed: async () => {
    const { embeddings } = await client.embed({ model, input: ["a", "b"] });
    assert.equal(embeddings.length, 2);
    return checkVector(embeddings[0]);
  },
  "show, ps, version": async () => {
    const { capabilities } = await client.show({ model });
    assert.ok(capabilities.includes("completion"));
    assert.equal((await client.ps()).models[0].name, model);
    await client.version();
    return capabilities.join(", ");
  },
  "a prompt that is too long": async () => {
    const asked = { ...greedy, messages: [{ role: "user", content: longQuestion }] };
    return checkTooLong(await failureOf(client.chat(asked)));
  },
  "a stream that is left": async () => {
    const options = { num_predict: 900, temperature: 0 };
    const stream = await client.chat({ ...greedy, options, stream: true });
    let pieces = 0;
    for await (const _ of stream) {
      if (++pieces === 3) stream.abort();
      if (pieces >= 3) break;
    }
    return untilIdle();
  },
});
