/** An engine that is opened again in place; after a lost card: test/end-to-end/device-loss.test.ts. */
import { renameSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { makeTinyModel } from "../../test/fixtures/tiny-model.ts";
import { FileAccessError, HearthError, LimitError, OptionError } from "../core/errors.ts";
import { Engine } from "./engine.ts";
import type { GenerateOptions } from "./options.ts";

const model = await makeTinyModel();
afterAll(() => model[Symbol.dispose]());

const greedy: GenerateOptions = { temperature: 0, ignoreEos: true, maxTokens: 6 };
const open = (): Promise<Engine> => Engine.open(model.path, { device: "reference" });

async function tokensOf(engine: Engine): Promise<readonly number[]> {
  return (await engine.generate("abc", greedy).result).tokens;
}

describe("an engine that is opened again", () => {
  it("ends its answers and writes the same tokens afterwards", async () => {
    using engine = await open();
    const expected = await tokensOf(engine);
    const running = engine.generate("abc", { ...greedy, maxTokens: 60 });
    const reopening = engine.reopen();
    // Asked for meanwhile: they wait for it.
    const waiting = [tokensOf(engine), tokensOf(engine)];
    await reopening;
    expect((await running.result).finishReason).toBe("abort");
    expect(await Promise.all(waiting)).toEqual([expected, expected]);
  });

  it("refuses what no engine could do, at once, while it is being opened", async () => {
    using engine = await open();
    const reopening = engine.reopen();
    const tooLong = engine.generate(Array.from({ length: 65 }, () => 70));
    await expect(tooLong.result).rejects.toThrow(LimitError);
    await reopening;
    // @ts-expect-error: an option that there is not.
    await expect(engine.reopen({ gpu: 0 })).rejects.toThrow(OptionError);
  });

  it("says why it cannot be, rejects answers until it can, and then goes on", async () => {
    using engine = await open();
    const expected = await tokensOf(engine);
    const away = `${model.path}.away`;
    renameSync(model.path, away);
    const failing = engine.reopen();
    const waiting = engine.generate("abc", greedy).result;
    await expect(failing).rejects.toThrow(FileAccessError);
    await expect(waiting).rejects.toThrow(/engine\.reopen\(\)/);
    await expect(engine.generate("abc", greedy).result).rejects.toThrow(HearthError);
    expect(engine.failure).toBeInstanceOf(FileAccessError);
    renameSync(away, model.path);
    await engine.reopen();
    expect(engine.failure).toBeUndefined();
    expect(await tokensOf(engine)).toEqual(expected);
  });

  it("stays closed when it is closed meanwhile, and ends what waits", async () => {
    const engine = await open();
    const reopening = engine.reopen();
    const waiting = engine.generate("abc", greedy);
    engine.close();
    await expect(reopening).rejects.toThrow("closed");
    expect((await waiting.result).finishReason).toBe("abort");
    await expect(engine.reopen()).rejects.toThrow("close()");
  });
});
