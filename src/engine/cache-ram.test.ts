/** `cacheRam`: conversations that left their sequences, through the public face. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tokensOf } from "../../test/fixtures/counted-conversation.ts";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { LimitError } from "../core/errors.ts";
import { MiB } from "../core/units.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";

let model: TinyModel;
beforeAll(async () => {
  model = await makeTinyModel(["--context", "512"]);
});
afterAll(() => model[Symbol.dispose]());

const greedy = { temperature: 0, ignoreEos: true, maxTokens: 8 } as const;

function open(options: EngineOptions): Promise<Engine> {
  return Engine.open(model.path, { device: "reference", contextLength: 512, ...options });
}

describe("an engine with cacheRam", () => {
  it("goes on with conversations that others took the sequence of, also when it was opened again", async () => {
    using engine = await open({ cacheRam: 64 * MiB });
    const [one, two] = [tokensOf(200, 1), tokensOf(150, 2)];
    const first = await engine.generate(one, greedy).result;
    expect(first.cachedTokens).toBe(0);
    await engine.generate(two, greedy).result;
    const again = await engine.generate(one, greedy).result;
    expect(again).toMatchObject({ cachedTokens: 199, tokens: first.tokens });
    expect(engine.activity.rememberedBytes).toBeGreaterThan(0);
    await engine.reopen();
    expect(await engine.generate(one, greedy).result).toMatchObject({ cachedTokens: 199 });
  });

  it("reads them again without", async () => {
    using engine = await open({});
    for (const seed of [1, 2, 1]) {
      expect((await engine.generate(tokensOf(200, seed), greedy).result).cachedTokens).toBe(0);
    }
    expect(engine.activity.rememberedBytes).toBe(0);
  });

  it("is not opened with more than the machine has", async () => {
    await expect(open({ cacheRam: 2 ** 50 })).rejects.toThrow(LimitError);
    await expect(open({ cacheRam: 2 ** 50 })).rejects.toThrow("ask for less cacheRam");
    await expect(open({ cacheRam: -1 })).rejects.toThrow("cacheRam: -1 is not usable");
  });

  it("is closed in the middle of a copy, and nobody hears of it", async () => {
    const engine = await open({ cacheRam: 64 * MiB });
    await engine.generate(tokensOf(300, 3), greedy).result;
    await nextTurn();
    engine.close();
    await expect(async () => engine.activity).rejects.toThrow("closed");
  });
});
