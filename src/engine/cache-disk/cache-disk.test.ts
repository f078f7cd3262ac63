/** Conversations that outlive their engine: another one goes on with them; what is damaged, foreign or too much is not used. */
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tokensOf } from "../../../test/fixtures/counted-conversation.ts";
import { type LayerKind, layerKinds } from "../../../test/fixtures/layer-kinds.ts";
import { makeTinyModel, type TinyModel } from "../../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../../backends/addon.ts";
import { FileAccessError } from "../../core/errors.ts";
import { type Bytes, KiB, MiB } from "../../core/units.ts";
import type { GenerationResult } from "../../runtime/generation.ts";
import { Engine } from "../engine.ts";
import type { EngineOptions } from "../options.ts";

const kinds = Object.keys(layerKinds) as LayerKind[];
const models = new Map<LayerKind, TinyModel>();
let folder = "";

beforeAll(async () => {
  for (const kind of kinds) {
    const args = layerKinds[kind].split(" ");
    models.set(kind, await makeTinyModel([...args, "--context", "512", "--seed", "5"]));
  }
  folder = join(dirname(pathOf("full")), "conversations");
});
beforeEach(() => rmSync(folder, { recursive: true, force: true }));
afterAll(() => {
  for (const model of models.values()) model[Symbol.dispose]();
});

const device = loadAddon().kind === "loaded" ? "cpu" : "reference";
const greedy = { temperature: 0, ignoreEos: true, maxTokens: 8 } as const;
const talk = tokensOf(200, 1);

function pathOf(kind: LayerKind): string {
  return models.get(kind)?.path ?? "";
}

async function open(kind: LayerKind, more: EngineOptions = {}): Promise<Engine> {
  return Engine.open(pathOf(kind), { device, contextLength: 512, cacheDisk: folder, ...more });
}

async function answer(
  kind: LayerKind,
  prompt: readonly number[] = talk,
  more: EngineOptions = {},
): Promise<GenerationResult> {
  using engine = await open(kind, more);
  const result = await engine.generate(prompt, greedy).result;
  await engine.remember();
  expect(engine.notices.filter((notice) => notice.includes("cacheDisk"))).toEqual([]);
  return result;
}

function files(): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.\w+$/.test(file))
    .map((file) => join(folder, file))
    .sort();
}

function bytesOf(paths: readonly string[]): Bytes {
  return paths.reduce((sum, path) => sum + statSync(path).size, 0);
}

describe.each(kinds)("a conversation with layers of kind %s", (kind) => {
  it("goes on in another engine, which reads what is new", async () => {
    const first = await answer(kind);
    const next = [...talk, ...first.tokens, ...tokensOf(30, 2)];
    const there = await answer(kind, next);
    expect(there.cachedTokens).toBe(200 + 7);
    rmSync(folder, { recursive: true });
    expect((await answer(kind, next)).tokens).toEqual(there.tokens);
    const files = readdirSync(folder);
    expect(files).toHaveLength(1);
  });

  it("is read again, right, where any of its files is damaged, cut short or gone", async () => {
    const { tokens } = await answer(kind);
    const damages: readonly ((path: string) => void)[] = [
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 40]! ^= 1;
        writeFileSync(path, bytes);
      },
      (path) => truncateSync(path, statSync(path).size - 1),
      (path) => truncateSync(path, 0),
      (path) => writeFileSync(path, "HEARTHPG and something else"),
      (path) => rmSync(path),
    ];
    for (const damage of damages) {
      const [path = ""] = files();
      damage(path);
      const again = await answer(kind);
      expect(again.tokens).toEqual(tokens);
      expect(again.cachedTokens).toBeLessThan(199);
      // It was written again.
      expect((await answer(kind)).cachedTokens).toBe(kind === "full" ? 199 : 196);
    }
  });
});

describe("a folder of conversations", () => {
  it("is of one model and type of cache; others have a place of their own in it", async () => {
    await answer("full");
    const before = files();
    expect((await answer("window")).cachedTokens).toBe(0);
    expect((await answer("full", talk, { cacheType: "f32" })).cachedTokens).toBe(0);
    expect(readdirSync(folder)).toHaveLength(3);
    expect((await answer("full")).cachedTokens).toBe(199);
    expect(files()).toEqual(expect.arrayContaining([...before]));
  });

  it("holds what conversations share once, and a turn adds what is new", async () => {
    const first = await answer("full");
    const [begun = ""] = files();
    const written = statSync(begun).mtimeMs;
    await answer("full", [...talk, ...first.tokens, ...tokensOf(30, 2)]);
    // A whole page, and in place of its second one a longer one.
    expect(files()).toHaveLength(2);
    await answer("full", [...talk.slice(0, 150), ...tokensOf(40, 3)]);
    expect(files()).toHaveLength(3);
    expect(statSync(begun).mtimeMs).toBeGreaterThan(written);
  });

  it("is never larger than it may be: what was used longest ago is removed", async () => {
    const cacheDiskSize = 300 * KiB;
    for (let seed = 10; seed < 22; seed++) {
      await answer("full", tokensOf(200, seed), { cacheDiskSize });
      expect(bytesOf(files())).toBeLessThanOrEqual(cacheDiskSize);
    }
    expect((await answer("full", tokensOf(200, 21), { cacheDiskSize })).cachedTokens).toBe(199);
    expect((await answer("full", tokensOf(200, 10), { cacheDiskSize })).cachedTokens).toBe(0);
  });

  it("serves engines that are open at once, and one finds what the other removed", async () => {
    await answer("full");
    using one = await open("full");
    using two = await open("full");
    const other = tokensOf(150, 4);
    await Promise.all([one.generate(other, greedy).result, two.generate(other, greedy).result]);
    await Promise.all([one.remember(), two.remember()]);
    for (const path of files()) rmSync(path);
    const again = await two.generate(talk, greedy).result;
    expect(again.cachedTokens).toBe(0);
    expect(again.tokens).toEqual((await answer("full")).tokens);
  });

  it("brings back more than memory holds", async () => {
    using engine = await open("full", { cacheRam: 80 * KiB });
    const talks = [1, 2, 3, 4, 5, 6].map((seed) => tokensOf(400, seed));
    for (const prompt of talks) await engine.generate(prompt, greedy).result;
    for (const prompt of talks) {
      expect((await engine.generate(prompt, greedy).result).cachedTokens).toBe(399);
      expect(engine.activity.rememberedBytes).toBeLessThanOrEqual(80 * KiB);
    }
  });

  it("is made where there is none, is nobody else's, and must take files", async () => {
    await answer("full");
    const [path = ""] = files();
    if (process.platform !== "win32") {
      expect([statSync(dirname(path)).mode & 0o777, statSync(path).mode & 0o777]).toEqual([
        0o700, 0o600,
      ]);
    }
    const file = join(dirname(pathOf("full")), "a file");
    writeFileSync(file, "");
    await expect(open("full", { cacheDisk: join(file, "below") })).rejects.toThrow(FileAccessError);
    await expect(open("full", { cacheDisk: "" })).rejects.toThrow("cacheDisk");
  });

  it("is said to be full where the disk is, and answers go on", async () => {
    using engine = await open("full");
    for (const owner of readdirSync(folder)) rmSync(join(folder, owner), { recursive: true });
    expect((await engine.generate(talk, greedy).result).completionTokens).toBe(8);
    await engine.remember();
    expect(engine.notices.join()).toContain("not every conversation is kept");
    expect(engine.activity.rememberedBytes).toBeLessThan(MiB);
  });
});
