/** LangChain.js with the three interfaces: @langchain/openai, @langchain/anthropic, @langchain/ollama. */
import assert from "node:assert/strict";
import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage } from "@langchain/core/messages";
import { ChatOllama, OllamaEmbeddings } from "@langchain/ollama";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { z } from "zod";
import {
  checkCity,
  checkTooLong,
  checkVector,
  failureOf,
  longQuestion,
  lookUp,
  question,
  runTrials,
  untilIdle,
  url,
} from "./trials.mjs";

const City = z.object({ city: z.enum(["Rome", "Oslo"]), isLarge: z.boolean() });
/** Without an enum, which @langchain/anthropic sends as a description: its own check refuses what is no value of it then. */
const Flags = z.object({ isLarge: z.boolean(), isOld: z.boolean() });
const common = { model: "any", temperature: 0, maxRetries: 0 };
const configuration = { baseURL: `${url}/v1` };
const openai = (more) =>
  new ChatOpenAI({ ...common, maxTokens: 100, apiKey: "none", configuration, ...more });
const anthropic = (more) =>
  new ChatAnthropic({ ...common, maxTokens: 100, apiKey: "none", anthropicApiUrl: url, ...more });
const [{ name }] = (await (await fetch(`${url}/api/tags`)).json()).models;
const ollama = (more) =>
  new ChatOllama({ ...common, model: name, baseUrl: url, numPredict: 100, ...more });

/** What all three can. `leaves`: whether a stream that is aborted is closed, which @langchain/ollama does not. */
function trialsOf(make, limit, methods, leaves = true) {
  const short = make(limit(12));
  const tool = { type: "function", function: lookUp };
  return {
    "answer and stream": async () => {
      const { content } = await short.invoke(question);
      let streamed = "";
      for await (const chunk of await short.stream(question)) streamed += chunk.content;
      assert.equal(streamed, content);
      return JSON.stringify(content);
    },
    "tools are told": async () => {
      const { usage_metadata: told } = await short.bindTools([tool]).invoke(question);
      const { usage_metadata: plain } = await short.invoke(question);
      assert.ok(told.input_tokens > plain.input_tokens);
      return `${told.input_tokens} tokens in place of ${plain.input_tokens}`;
    },
    ...Object.fromEntries(
      methods.map((method) => [
        `withStructuredOutput: ${method}`,
        async () =>
          checkCity(await make({}).withStructuredOutput(City, { method }).invoke(question)),
      ]),
    ),
    "a prompt that is too long": async () =>
      checkTooLong(await failureOf(short.invoke([new HumanMessage(longQuestion)]))),
    ...(leaves && {
      "a stream that is left": async () => {
        let pieces = 0;
        const stop = new AbortController();
        const stream = await make(limit(900)).stream(question, { signal: stop.signal });
        const reading = (async () => {
          for await (const _ of stream) if (++pieces === 3) stop.abort();
        })();
        await reading.catch(() => undefined);
        return untilIdle();
      },
    }),
  };
}

const inTokens = (maxTokens) => ({ maxTokens });
await runTrials("@langchain/openai", {
  ...trialsOf(openai, inTokens, ["jsonSchema", "functionCalling"]),
  embeddings: async () => {
    const embeddings = new OpenAIEmbeddings({ ...common, apiKey: "none", configuration });
    return checkVector(await embeddings.embedQuery("a"));
  },
});
await runTrials("@langchain/anthropic", {
  ...trialsOf(anthropic, inTokens, ["functionCalling"]),
  "withStructuredOutput: jsonSchema": async () => {
    const asked = anthropic({}).withStructuredOutput(Flags, { method: "jsonSchema" });
    return JSON.stringify(Flags.parse(await asked.invoke(question)));
  },
});
await runTrials("@langchain/ollama", {
  ...trialsOf(ollama, (numPredict) => ({ numPredict }), ["jsonSchema"], false),
  embeddings: async () => {
    const embeddings = new OllamaEmbeddings({ model: name, baseUrl: url });
    return checkVector(await embeddings.embedQuery("a"));
  },
});
