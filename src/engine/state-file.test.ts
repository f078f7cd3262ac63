/** Conversations in files: they go on without reading again, on another device too; a file that is wrong is one error. */

import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { tokensOf } from "../../test/fixtures/counted-conversation.ts";
import { type LayerKind, layerKinds } from "../../test/fixtures/layer-kinds.ts";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { listAdapters } from "../backends/webgpu/adapter.ts";
import { FileFormatError, HearthError, LimitError, OptionError } from "../core/errors.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const models = new Map<LayerKind, TinyModel>();
const withGpu = (await listAdapters()).length > 0;
const options: EngineOptions = { contextLength: 256, batchSize: 32, device: "cpu" };
const greedy = { temperature: 0, ignoreEos: true, maxTokens: 20 } as const;
const prompt = tokensOf(120, 3);

beforeAll(async () => {
  for (const [kind, args] of Object.entries(layerKinds)) {
    const heads = ["--dim", "64", "--heads", "2", "--kv-heads", "1"];
    const file = await makeTinyModel([
      ...args.split(" "),
      ...heads,
      "--context",
      "512",
      "--seed",
      "6",
    ]);
    models.set(kind as LayerKind, file);
  }
});
afterAll(() => {
  for (const model of models.values()) model[Symbol.dispose]();
});

function pathOf(kind: LayerKind): string {
  return models.get(kind)?.path ?? "";
}

function stateOf(kind: LayerKind): string {
  return join(dirname(pathOf(kind)), "chat.state");
}

async function withEngine<Result>(
  kind: LayerKind,
  more: EngineOptions,
  use: (engine: Engine) => Promise<Result>,
): Promise<Result> {
  using engine = await Engine.open(pathOf(kind), { ...options, ...more });
  return await use(engine);
}

interface Saved {
  readonly answer: readonly number[];
  /** The next turn, and another one in its place, with the answers of the engine that was not closed. */
  readonly turns: readonly {
    readonly prompt: readonly number[];
    readonly answer: readonly number[];
  }[];
}

/** Two turns, saved behind the first; the answers that go on from it. */
async function save(kind: LayerKind, more: EngineOptions = {}): Promise<Saved> {
  return withEngine(kind, more, async (engine) => {
    await expect(engine.saveState(stateOf(kind))).rejects.toThrow(/nothing to save/);
    const { tokens: answer } = await engine.generate(prompt, greedy).result;
    const saved = await engine.saveState(stateOf(kind), { note: "nineteen boats" });
    expect(saved.tokens).toBe(120 + 19);
    expect(saved.bytes).toBe(readFileSync(stateOf(kind)).length);
    const turns: { prompt: readonly number[]; answer: readonly number[] }[] = [];
    for (const seed of [4, 5]) {
      const turn = [...prompt, ...answer, ...tokensOf(30, seed)];
      turns.push({ prompt: turn, answer: (await engine.generate(turn, greedy).result).tokens });
    }
    return { answer, turns };
  });
}

describe.each(Object.keys(layerKinds) as LayerKind[])(
  "a conversation with layers of kind %s",
  (kind) => {
    it.each(["f32", "f16", "q8_0"] as const)(
      "goes on in another engine with a cache of %s",
      async (cacheType) => {
        const { answer, turns } = await save(kind, { cacheType });
        // Other rings, another context.
        const other = { cacheType, contextLength: 200, batchSize: 64, sequences: 2 } as const;
        await withEngine(kind, other, async (engine) => {
          expect(await engine.loadState(stateOf(kind))).toEqual({
            tokens: 139,
            note: "nineteen boats",
          });
          const [first] = turns;
          const next = await engine.generate(first?.prompt ?? [], greedy).result;
          expect(next.cachedTokens).toBe(139);
          expect(next.tokens).toEqual(first?.answer);
        });
        await withEngine(kind, { cacheType }, async (engine) => {
          await engine.loadState(stateOf(kind));
          // Asked once more: the checkpoint before the prompt's end came with it.
          const again = await engine.generate(prompt, greedy).result;
          expect(again.cachedTokens).toBeGreaterThanOrEqual(116);
          expect(again.tokens).toEqual(answer);
        });
      },
    );
  },
);

describe("a conversation", () => {
  it.skipIf(!withGpu)("of the graphics card goes on on the CPU", async () => {
    const card = { device: "gpu", gpu: 0, cacheType: "q8_0" } as const;
    const { turns } = await save("recurrent", card);
    await withEngine("recurrent", { cacheType: "q8_0" }, async (engine) => {
      await engine.loadState(stateOf("recurrent"));
      const next = await engine.generate(turns[0]?.prompt ?? [], greedy).result;
      expect(next.cachedTokens).toBe(139);
      expect(next.tokens.slice(0, 4)).toEqual(turns[0]?.answer.slice(0, 4));
    });
  });

  it("is saved and loaded beside an answer that is being written, which neither changes", async () => {
    await save("recurrent");
    await withEngine("recurrent", { sequences: 2 }, async (engine) => {
      const alone = await engine.generate(tokensOf(40, 9), { ...greedy, maxTokens: 60 }).result;
      const beside = engine.generate(tokensOf(41, 9), { ...greedy, maxTokens: 60 });
      await engine.saveState(`${stateOf("recurrent")}.other`);
      await engine.loadState(stateOf("recurrent"));
      expect((await beside.result).tokens).toHaveLength(60);
      expect(alone.tokens).toHaveLength(60);
      const next = await engine.generate([...prompt, 7], greedy).result;
      expect(next.cachedTokens).toBeGreaterThanOrEqual(116);
    });
  });

  it("goes back nowhere that the file does not hold, though a ring has room for the whole context", async () => {
    const short = { contextLength: 60 } as const;
    const begun = prompt.slice(0, 45);
    await withEngine("window", short, async (engine) => {
      await engine.generate(begun, { ...greedy, maxTokens: 2 }).result;
      await engine.saveState(stateOf("window"));
    });
    await withEngine("window", short, async (engine) => {
      const changed = [...begun.slice(0, 20), ...tokensOf(10, 3)];
      const expected = await engine.generate(changed, greedy).result;
      await engine.loadState(stateOf("window"));
      const { tokens, cachedTokens } = await engine.generate(changed, greedy).result;
      expect(tokens).toEqual(expected.tokens);
      expect(cachedTokens).toBe(0);
    });
  });

  it("waits for a sequence in vain where all are being written in", async () => {
    await save("full");
    await withEngine("full", {}, async (engine) => {
      const answer = engine.generate(prompt, { ...greedy, maxTokens: 100 });
      await expect(engine.loadState(stateOf("full"))).rejects.toThrow(LimitError);
      expect((await answer.result).tokens).toHaveLength(100);
    });
  });
});

describe("a state file is refused", () => {
  let whole: Buffer;
  beforeAll(async () => {
    await save("window");
    whole = readFileSync(stateOf("window"));
  });

  /** The file with a changed header, its checksum right. */
  function forged(change: Readonly<Record<string, unknown>>): Buffer {
    const length = whole.readUInt32LE(12);
    const header = { ...JSON.parse(whole.toString("utf8", 16, 16 + length)), ...change };
    const text = Buffer.from(JSON.stringify(header));
    const preamble = Buffer.from(whole.subarray(0, 16));
    preamble.writeUInt32LE(text.length, 12);
    return signed(Buffer.concat([preamble, text, whole.subarray(16 + length, -32)]));
  }

  function signed(body: Uint8Array): Buffer {
    return Buffer.concat([body, createHash("sha256").update(body).digest()]);
  }

  function changed(at: number, value: number): Buffer {
    const copy = Buffer.from(whole);
    copy[at < 0 ? copy.length + at : at] = value;
    return copy;
  }

  it.each<[string, () => Buffer, RegExp]>([
    ["that is empty", () => Buffer.alloc(0), /size: found 0 bytes/],
    [
      "of another kind",
      () => Buffer.from("GGUF and more than sixteen bytes"),
      /magic: found "GGUF/,
    ],
    ["of another version", () => changed(8, 9), /version: found 9, expected 1/],
    [
      "with a header beyond its end",
      () => changed(14, 255),
      /header: found .* expected at most 131072/,
    ],
    ["with a header that is no JSON", () => changed(16, 0), /header: found no JSON/],
    ["with a changed byte", () => changed(-200, 255 - (whole.at(-200) ?? 0)), /checksum.*damaged/],
    ["that ends early", () => whole.subarray(0, -33), /size: found/],
    ["with more behind it", () => Buffer.concat([whole, Buffer.from([1])]), /size: found/],
    [
      "of another model",
      () => forged({ model: "f".repeat(64) }),
      /model: found one of the model ffffffffffff/,
    ],
    [
      "of another cache type",
      () => forged({ cacheType: "f32" }),
      /cache type: found f32.*--cache-type f32/,
    ],
    ["of other layers", () => forged({ layers: [] }), /layers: found layers of other shapes/],
    ["of no tokens", () => forged({ length: 0 }), /header length: found 0/],
    ["of 2^40 tokens", () => forged({ length: 2 ** 40 }), /header length/],
    ["with a note of 2^40 bytes", () => forged({ noteBytes: 2 ** 40 }), /header noteBytes/],
    ["with checkpoints that fall", () => forged({ checkpoints: [9, 3] }), /header checkpoints/],
    [
      "with a token of no vocabulary",
      () => {
        const copy = Buffer.from(whole.subarray(0, -32));
        copy.writeInt32LE(-7, 16 + whole.readUInt32LE(12) + "nineteen boats".length);
        return signed(copy);
      },
      /tokens: found -7/,
    ],
  ])("%s", async (_, make, message) => {
    const path = `${stateOf("window")}.wrong`;
    writeFileSync(path, make());
    await withEngine("window", {}, async (engine) => {
      const { tokens } = await engine.generate(prompt, greedy).result;
      const failing = engine.loadState(path);
      await expect(failing).rejects.toThrow(message);
      await expect(failing).rejects.toThrow(FileFormatError);
      // The engine goes on as if nothing had been asked.
      expect(await engine.generate(prompt, greedy).result).toMatchObject({
        tokens,
        cachedTokens: 119,
      });
    });
    rmSync(path);
  });

  it("that holds more than the context, by both numbers", async () => {
    await withEngine("window", { contextLength: 100 }, async (engine) => {
      await expect(engine.loadState(stateOf("window"))).rejects.toThrow(
        /holds 139 tokens, the context 100/,
      );
    });
  });

  it("whose path or note is none", async () => {
    await withEngine("window", {}, async (engine) => {
      await expect(engine.saveState("")).rejects.toThrow(OptionError);
      await expect(engine.saveState("x", { note: 7 } as never)).rejects.toThrow(/note: 7/);
      await expect(engine.loadState("/nowhere/at/all")).rejects.toThrow(/no such file/);
      await expect(engine.saveState("/nowhere/at/all")).rejects.toThrow(/does not exist/);
      engine.close();
      await expect(engine.saveState("x")).rejects.toThrow(HearthError);
    });
  });
});
