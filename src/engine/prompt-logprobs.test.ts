/** Prompts whose tokens are reported, and prompts of which all is read: what they say is what answers say. */
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "./engine.ts";

let engine: Engine;
beforeAll(async () => {
  const model = resolve(import.meta.dirname, "../../models/default.gguf");
  engine = await Engine.open(model, { device: "cpu", sequences: 2 });
});
afterAll(() => engine.close());

const greedy = { temperature: 0, ignoreEos: true } as const;

describe("a prompt's log-probabilities", () => {
  it("are those that its tokens had when they were an answer", async () => {
    const prompt = engine.tokenize("Once upon a time");
    const written = engine.generate(prompt, { ...greedy, maxTokens: 12, logprobs: 3 });
    const scores = [];
    for await (const { token, logprob, topLogprobs } of written) {
      if (token !== undefined) scores.push({ token, logprob, topLogprobs });
    }
    const { tokens } = await written.result;
    const whole = [...prompt, ...tokens];
    const read = engine.generate(whole, {
      ...greedy,
      maxTokens: 0,
      logprobs: 3,
      promptLogprobs: true,
    });
    const { promptLogprobs = [], cachedTokens, completionTokens } = await read.result;
    expect([cachedTokens, completionTokens]).toEqual([0, 0]);
    expect(promptLogprobs.map(({ token }) => token)).toEqual(whole);
    expect(promptLogprobs[0]).toEqual({ token: whole[0] });
    for (const [i, score] of scores.entries()) {
      const found = promptLogprobs[prompt.length + i];
      expect(found?.logprob).toBeCloseTo(score.logprob ?? 0, 4);
      expect(found?.topLogprobs?.map(({ token }) => token)).toEqual(
        score.topLogprobs?.map(({ token }) => token),
      );
    }
  });

  it("come in the first chunk, in front of the same answer", async () => {
    const asked = { ...greedy, maxTokens: 5, logprobs: 0 };
    const plain = await engine.generate("The king", asked).result;
    const chunks = [];
    const read = engine.generate("The king", { ...asked, promptLogprobs: true });
    for await (const chunk of read) chunks.push(chunk);
    expect(chunks[0]).toEqual({
      text: "",
      promptLogprobs: (await read.result).promptLogprobs,
    });
    expect(chunks.slice(1).every(({ promptLogprobs }) => promptLogprobs === undefined)).toBe(true);
    expect((await read.result).text).toBe(plain.text);
  });
});

describe("cachePrompt", () => {
  it("false reads all of the prompt", async () => {
    const asked = { ...greedy, maxTokens: 3 };
    const first = await engine.generate("The queen and the king", asked).result;
    const again = await engine.generate("The queen and the king", asked).result;
    const anew = await engine.generate("The queen and the king", { ...asked, cachePrompt: false })
      .result;
    expect(again.cachedTokens).toBe(again.promptTokens - 1);
    expect(anew.cachedTokens).toBe(0);
    expect(anew.text).toBe(first.text);
  });
});
