/** The Vercel AI SDK with OpenAI's two interfaces and Anthropic's. */
import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateObject, generateText, streamText, tool } from "ai";
import { z } from "zod";
import {
  checkCity,
  checkPieces,
  checkTooLong,
  checkVector,
  failureOf,
  longQuestion,
  question,
  runTrials,
  untilIdle,
  url,
} from "./trials.mjs";

const City = z.object({ city: z.enum(["Rome", "Oslo"]), isLarge: z.boolean() });
const compatible = createOpenAICompatible({
  name: "hearth",
  baseURL: `${url}/v1`,
  supportsStructuredOutputs: true,
});
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" });
const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" });
const plain = { prompt: question, temperature: 0, maxRetries: 0 };
const tools = { look_up: tool({ description: "Facts of a city", inputSchema: City }) };

function trialsOf(model) {
  const short = { ...plain, model, maxOutputTokens: 20 };
  const roomy = { ...plain, model, maxOutputTokens: 120 };
  return {
    "answer and stream": async () => {
      const { text, usage } = await generateText(short);
      assert.equal(usage.outputTokens, 20);
      const pieces = [];
      for await (const piece of streamText(short).textStream) pieces.push(piece);
      return checkPieces(pieces, text);
    },
    "a tool that must be called": async () => {
      const { toolCalls } = await generateText({ ...roomy, tools, toolChoice: "required" });
      return checkCity(toolCalls[0].input);
    },
    "a tool call in a stream": async () => {
      const result = streamText({ ...roomy, tools, toolChoice: "required" });
      return checkCity((await result.toolCalls)[0].input);
    },
    generateObject: async () =>
      checkCity((await generateObject({ ...roomy, schema: City })).object),
    "a prompt that is too long": async () =>
      checkTooLong(await failureOf(generateText({ ...short, prompt: longQuestion }))),
    "a stream that is left": async () => {
      const stop = new AbortController();
      const long = { ...short, maxOutputTokens: 900, abortSignal: stop.signal, onError: () => {} };
      let pieces = 0;
      for await (const _ of streamText(long).textStream) if (++pieces === 3) stop.abort();
      return untilIdle();
    },
  };
}

await runTrials("ai, @ai-sdk/openai-compatible", {
  ...trialsOf(compatible("any")),
  embed: async () => {
    const model = compatible.textEmbeddingModel("any");
    return checkVector((await embed({ model, value: "a" })).embedding);
  },
});
await runTrials("ai, @ai-sdk/openai (responses)", trialsOf(openai.responses("any")));
await runTrials("ai, @ai-sdk/anthropic", trialsOf(anthropic("any")));
