/** A model's file that changes while it is open: the next answer says so, and a copy in memory does not mind. */
import { copyFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../backends/addon.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";

const addon = loadAddon();
const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";

describe.skipIf(addon.kind === "missing")(`a model's file${skipped}`, () => {
  let model: TinyModel;
  beforeEach(async () => {
    model = await makeTinyModel(["--type", "f16"]);
  });
  afterEach(() => model[Symbol.dispose]());

  const open = (options: EngineOptions = {}) =>
    Engine.open(model.path, { device: "cpu", sparsity: "dense", ...options });
  const answer = async (engine: Engine) => {
    const generation = engine.generate([1, 5, 7], {
      maxTokens: 6,
      temperature: 0,
      ignoreEos: true,
    });
    return (await generation.result).tokens;
  };

  it.each([
    ["is cut", (path: string) => truncateSync(path, 1000)],
    ["is written over", (path: string) => writeFileSync(path, readFileSync(path).fill(0))],
  ])("that %s while it is mapped fails the next answer, which rejects", async (_, change) => {
    using engine = await open();
    await answer(engine);
    change(model.path);
    await expect(answer(engine)).rejects.toMatchObject({ code: "ECHANGED" });
    await expect(answer(engine)).rejects.toThrow(/--no-mmap/);
  });

  it("that is replaced by another of its name stays as it was opened", async () => {
    using engine = await open();
    const tokens = await answer(engine);
    copyFileSync(model.path, `${model.path}.new`);
    renameSync(`${model.path}.new`, model.path);
    expect(await answer(engine)).toEqual(tokens);
  });

  it("that was read into memory may change", async () => {
    using mapped = await open();
    using engine = await open({ mmap: false });
    const tokens = await answer(mapped);
    expect(await answer(engine)).toEqual(tokens);
    truncateSync(model.path, 1000);
    expect(await answer(engine)).toEqual(tokens);
  });

  it("is locked in memory, or a notice says why not", async () => {
    using engine = await open({ mlock: true });
    const notices = engine.notices.filter((notice) => notice.startsWith("mlock:"));
    for (const notice of notices) expect(notice).toMatch(/not locked in memory \(.+\); raise/);
    expect(notices.length).toBeLessThanOrEqual(1);
    expect((await answer(engine)).length).toBe(6);
  });
});
