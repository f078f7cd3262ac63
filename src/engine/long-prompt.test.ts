/** Prompts whose texts are long are encoded with pauses: the host's event loop goes on, and errors come with the answer. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { LimitError } from "../core/errors.ts";
import { Engine } from "./engine.ts";

let model: TinyModel;
beforeAll(async () => {
  model = await makeTinyModel();
});
afterAll(() => model[Symbol.dispose]());

const long = "once upon a time ".repeat(4000);

async function withEngine(use: (engine: Engine) => Promise<void>): Promise<void> {
  using engine = await Engine.open(model.path, { device: "reference", contextLength: 32 });
  await use(engine);
}

describe("a long prompt", () => {
  it("lets timers run while it is encoded, and fails with its answer", async () => {
    await withEngine(async (engine) => {
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      const answer = engine.generate(long);
      await expect(answer.result).rejects.toThrow(LimitError);
      clearInterval(timer);
      expect(turns).toBeGreaterThan(0);
      await expect(engine.chat([{ role: "user", content: long }]).text()).rejects.toThrow(
        "the context 32",
      );
    });
  });

  it("leaves the answers beside it alone", async () => {
    await withEngine(async (engine) => {
      const failing = engine.generate(long);
      const short = engine.generate("once", { maxTokens: 3, temperature: 0 });
      expect((await short.result).completionTokens).toBeGreaterThan(0);
      await expect(failing.result).rejects.toThrow(LimitError);
    });
  });

  it("ends by its signal, or with the engine, while it is encoded", async () => {
    await withEngine(async (engine) => {
      const stop = new AbortController();
      const stopped = engine.generate(long, { signal: stop.signal });
      stop.abort();
      expect((await stopped.result).finishReason).toBe("abort");
      const left = engine.generate(long);
      engine.close();
      expect((await left.result).finishReason).toBe("abort");
    });
  });
});
