/** The engine through its public face, on the reference backend and a tiny random model. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { LimitError, OptionError } from "../core/errors.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions, GenerateOptions } from "./options.ts";

const greedy: GenerateOptions = { temperature: 0, ignoreEos: true };
let model: TinyModel;

beforeAll(async () => {
  model = await makeTinyModel();
});

afterAll(() => model[Symbol.dispose]());

async function withEngine<T>(
  options: EngineOptions,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await Engine.open(model.path, { device: "reference", ...options });
  try {
    return await use(engine);
  } finally {
    engine.close();
  }
}

describe("an answer", () => {
  it("streams the chunks whose text is the result's text", async () => {
    await withEngine({}, async (engine) => {
      const generation = engine.generate("hello", { ...greedy, maxTokens: 12 });
      const chunks = [];
      for await (const chunk of generation) chunks.push(chunk);
      const result = await generation.result;
      const tokens = chunks.map((chunk) => chunk.token).filter((token) => token !== undefined);
      expect(tokens).toEqual(result.tokens);
      expect(chunks.map((chunk) => chunk.text).join("")).toBe(result.text);
      expect(result.completionTokens).toBe(12);
      expect(result.finishReason).toBe("length");
    });
  });

  it("is the same for the same seed and differs for another", async () => {
    await withEngine({}, async (engine) => {
      const write = async (seed: number): Promise<readonly number[]> =>
        (await engine.generate("abc", { seed, temperature: 1.5, topK: 0, maxTokens: 16 }).result)
          .tokens;
      const first = await write(1);
      expect(await write(1)).toEqual(first);
      expect(await write(2)).not.toEqual(first);
    });
  });

  it("does not depend on the batch size, on its neighbours or on what the cache held", async () => {
    const prompts = ["one", "two or three words here", "a somewhat longer prompt than the others"];
    const alone = await withEngine({ batchSize: 128 }, async (engine) => {
      const answers = [];
      for (const prompt of prompts) {
        answers.push((await engine.generate(prompt, { ...greedy, maxTokens: 8 }).result).tokens);
      }
      return answers;
    });
    const together = await withEngine({ batchSize: 5, sequences: 2 }, (engine) =>
      Promise.all(
        prompts.map(
          async (p) => (await engine.generate(p, { ...greedy, maxTokens: 8 }).result).tokens,
        ),
      ),
    );
    expect(together).toEqual(alone);
  });

  it("reuses the beginning that the cache still holds", async () => {
    await withEngine({}, async (engine) => {
      const ids = engine.tokenize("the same beginning");
      const first = await engine.generate(ids, { ...greedy, maxTokens: 4 }).result;
      const second = await engine.generate([...ids, ...first.tokens, 70], {
        ...greedy,
        maxTokens: 2,
      }).result;
      expect(first.cachedTokens).toBe(0);
      expect(second.cachedTokens).toBe(ids.length + first.tokens.length - 1);
    });
  });

  it("reports log-probabilities that sum to at most one and contain the chosen token", async () => {
    await withEngine({}, async (engine) => {
      const generation = engine.generate("x", { ...greedy, maxTokens: 3, logprobs: 4 });
      let seen = 0;
      for await (const { token, logprob, topLogprobs = [] } of generation) {
        if (token === undefined) continue;
        seen++;
        expect(topLogprobs).toHaveLength(4);
        expect(topLogprobs[0]?.token).toBe(token);
        expect(topLogprobs[0]?.logprob).toBe(logprob);
        const sum = topLogprobs.reduce((total, top) => total + Math.exp(top.logprob), 0);
        expect(sum).toBeLessThanOrEqual(1 + 1e-9);
      }
      expect(seen).toBe(3);
    });
  });
});

describe("the end of an answer", () => {
  it("comes with the abort of a signal, as a result", async () => {
    await withEngine({}, async (engine) => {
      const stop = new AbortController();
      const generation = engine.generate("abc", { ...greedy, signal: stop.signal });
      let seen = 0;
      for await (const _ of generation) if (++seen === 3) stop.abort();
      const result = await generation.result;
      expect(result.finishReason).toBe("abort");
      expect(result.completionTokens).toBeLessThanOrEqual(4);
    });
  });

  it("comes when the reader leaves its loop, and the engine goes on", async () => {
    await withEngine({}, async (engine) => {
      const left = engine.generate("abc", greedy);
      for await (const _ of left) break;
      expect((await left.result).finishReason).toBe("abort");
      const next = await engine.generate("def", { ...greedy, maxTokens: 2 }).result;
      expect(next.completionTokens).toBe(2);
    });
  });

  it("comes when the context is full, unless it is shifted", async () => {
    await withEngine({ contextLength: 16 }, async (engine) => {
      const full = await engine.generate("abc", greedy).result;
      expect(full.finishReason).toBe("context");
      expect(full.promptTokens + full.completionTokens).toBe(17);
      const shifted = await engine.generate("abc", { ...greedy, contextShift: true, maxTokens: 40 })
        .result;
      expect(shifted.finishReason).toBe("length");
      expect(shifted.completionTokens).toBe(40);
    });
  });

  it("comes at a stop string, which is not part of the text", async () => {
    await withEngine({}, async (engine) => {
      const whole = await engine.generate("abc", { ...greedy, maxTokens: 30 }).result;
      const stop = whole.text.slice(5, 8);
      const cut = await engine.generate("abc", { ...greedy, maxTokens: 30, stop: [stop] }).result;
      expect(cut.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
      expect(cut.finishReason).toBe("stop");
    });
  });
});

describe("a context longer than the model was trained for", () => {
  it("is opened and said", async () => {
    await withEngine({ contextLength: 64 }, async (engine) => {
      expect(engine.notices.filter((notice) => notice.includes("trained"))).toEqual([]);
    });
    await withEngine({ contextLength: 65 }, async (engine) => {
      expect(engine.notices.join()).toContain("longer than the 64 the model was trained for");
    });
  });
});

describe("what cannot be done", () => {
  it("is refused by name: a prompt longer than the context, ids out of range, a misspelt option", async () => {
    await withEngine({ contextLength: 8 }, async (engine) => {
      const tooLong = engine.generate("a prompt of more than eight tokens");
      await expect(tooLong.result).rejects.toThrow(LimitError);
      expect(() => engine.generate([1, 999])).toThrow(OptionError);
      const noPrompt: { prompt?: string } = {};
      // @ts-expect-error: what a caller in JavaScript can do
      expect(() => engine.generate(noPrompt.prompt)).toThrow("prompt: undefined is not usable");
      // @ts-expect-error: one text in place of a list of texts
      expect(() => engine.generate("a", { stop: "b" })).toThrow('stop: "b" is not usable');
      const misspelt: object = { maxtokens: 1 };
      expect(() => engine.generate("a", misspelt)).toThrow('did you mean "maxTokens"?');
    });
  });

  it("is refused before the model is loaded: a context or a cache that makes no sense", async () => {
    await expect(withEngine({ contextLength: 0 }, async () => {})).rejects.toThrow(OptionError);
    await expect(withEngine({ threads: 1.5 }, async () => {})).rejects.toThrow("threads: 1.5");
  });

  it("is refused on a closed engine, naming close(): all that needs the model", async () => {
    const engine = await Engine.open(model.path, { device: "reference", contextLength: 16 });
    const ids = engine.tokenize("abc");
    engine.close();
    const closed = "closed by close()";
    expect(() => engine.generate("a")).toThrow(closed);
    expect(() => engine.chat([{ role: "user", content: "a" }])).toThrow(closed);
    expect(() => engine.sparsity).toThrow(closed);
    await expect(engine.report()).rejects.toThrow(closed);
    await expect(engine.timeline()).rejects.toThrow(closed);
    await expect(engine.learnAndClose()).rejects.toThrow(closed);
    engine.close();
    expect(engine.detokenize(engine.tokenize("abc"))).toBe(engine.detokenize(ids));
    expect([engine.contextLength, engine.plan, engine.model.architecture]).toEqual([
      16,
      undefined,
      "llama",
    ]);
  });
});
