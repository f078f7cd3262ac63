/** What answers add to the counters, and what is made of them. */
import { expect, it } from "vitest";
import type { GenerationResult } from "../index.ts";
import { Metrics } from "./metrics.ts";
import type { LoadedModel } from "./models/loaded-model.ts";

const result: GenerationResult = {
  text: "",
  written: "",
  tokens: [],
  promptTokens: 30,
  cachedTokens: 10,
  completionTokens: 5,
  finishReason: "stop",
  seed: 1,
  timings: {
    promptMilliseconds: 500,
    decodeMilliseconds: 1000,
    promptTokensPerSecond: 40,
    decodeTokensPerSecond: 4,
  },
};

it("has llama-server's names, with rates since the beginning", async () => {
  const waiting = { leases: 3, engine: { activity: { waiting: 2 } } } as unknown as LoadedModel;
  const metrics = new Metrics({ loaded: () => [waiting, waiting] });
  const value = async (name: string): Promise<number> => {
    const [, found] =
      new RegExp(`^${name}(?:\\{[^}]*\\})? (.*)$`, "m").exec(await metrics.text()) ?? [];
    return Number(found);
  };
  expect(await value("llamacpp:prompt_tokens_seconds")).toBe(0);
  metrics.countAnswer("a", result);
  metrics.countAnswer("a", {
    ...result,
    promptTokens: 10,
    timings: { ...result.timings, decodeMilliseconds: 3000 },
  });
  expect(await value("llamacpp:prompt_tokens_total")).toBe(20);
  expect(await value("llamacpp:prompt_tokens_cached_total")).toBe(20);
  expect(await value("llamacpp:tokens_predicted_total")).toBe(10);
  expect(await value("llamacpp:n_tokens_max")).toBe(35);
  // 20 tokens in a second of reading, 8 in four seconds of writing.
  expect(await value("llamacpp:prompt_tokens_seconds")).toBe(20);
  expect(await value("llamacpp:predicted_tokens_seconds")).toBe(2);
  expect(await value("llamacpp:requests_deferred")).toBe(4);
  expect(await value("llamacpp:requests_processing")).toBe(6);
});
