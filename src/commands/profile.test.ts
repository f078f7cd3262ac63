/** Profiles of whole models: counted, stopped, continued, added up, and kept beside what else the sidecar holds. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { makeTinyModel } from "../../test/fixtures/tiny-model.ts";
import { sidecarModelOf } from "../engine/model-sidecar.ts";
import { openGguf } from "../gguf/open.ts";
import { openModel } from "../model/model.ts";
import { openSidecar } from "../sparsity/sidecar/read.ts";
import { updateSidecar } from "../sparsity/sidecar/write.ts";
import { type ProfileOptions, profileModel } from "./profile.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-profile-"));
afterAll(() => rmSync(folder, { recursive: true }));
const defaultModel = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const shape = sidecarModelOf(openModel(openGguf(defaultModel)));
const dataFolder = process.env["HEARTH_TEST_DATA"];
const withoutData = dataFolder === undefined ? " (skipped: HEARTH_TEST_DATA is not set)" : "";

const text = join(folder, "story.txt");
writeFileSync(text, "It was a dark and stormy night; the rain fell in torrents. ".repeat(40));
const prompts = join(folder, "prompts.csv");
writeFileSync(prompts, '"act","prompt"\n"a","The old man, he said ""no"""\n"b","And then"\n');

let made = 0;
function newSidecar(): string {
  return join(folder, `${made++}.sparsity.gguf`);
}

const windows = { device: "reference", window: 21, tokens: 120 } satisfies Partial<ProfileOptions>;

describe("a profile", () => {
  it("stopped half-way goes on from there and ends as if it had never stopped", async () => {
    const whole = newSidecar();
    const stopped = newSidecar();
    await profileModel(defaultModel, { ...windows, corpora: [text], sidecar: whole });
    const stop = new AbortController();
    const first = await profileModel(defaultModel, {
      ...windows,
      corpora: [text],
      sidecar: stopped,
      signal: stop.signal,
      onTokens: (done) => done >= 60 && stop.abort(),
    });
    expect([first.isComplete, first.tokens]).toEqual([false, 60]);
    const seen: number[] = [];
    const second = await profileModel(defaultModel, {
      ...windows,
      corpora: [text],
      sidecar: stopped,
      onTokens: (done, total) => seen.push(done / total),
    });
    expect(second.isComplete).toBe(true);
    // Progress begins where the first run stopped.
    expect(seen[0]).toBeGreaterThan(0.5);
    expect(openSidecar(stopped, shape).profile).toEqual(openSidecar(whole, shape).profile);
  });

  it("counts a corpus once, and other corpora in addition", async () => {
    const sidecar = newSidecar();
    const once = await profileModel(defaultModel, { ...windows, corpora: [text], sidecar });
    const again = await profileModel(defaultModel, { ...windows, corpora: [text], sidecar });
    expect(again.activeSharePerLayer).toEqual(once.activeSharePerLayer);
    const both = await profileModel(defaultModel, { ...windows, corpora: [prompts], sidecar });
    expect(both.corpora.map(({ name, isComplete }) => [name, isComplete])).toEqual([
      ["story.txt", false],
      ["prompts.csv", true],
    ]);
    expect(both.tokens).toBe(both.corpora.reduce((sum, { tokens }) => sum + tokens, 0));
    const together = newSidecar();
    await profileModel(defaultModel, { ...windows, corpora: [text, prompts], sidecar: together });
    expect(openSidecar(together, shape).profile).toEqual(openSidecar(sidecar, shape).profile);
  });

  it("leaves alone what else the sidecar holds", async () => {
    const sidecar = newSidecar();
    await updateSidecar(sidecar, shape, { sign: { margins: [1, 2, 3, 4], recall: [1, 1, 1, 1] } });
    await profileModel(defaultModel, { ...windows, tokens: 20, corpora: [text], sidecar });
    expect(openSidecar(sidecar, shape).sign?.margins).toEqual([1, 2, 3, 4]);
  });

  it("is read again without a corpus, and drawn", async () => {
    const sidecar = newSidecar();
    const counted = await profileModel(defaultModel, { ...windows, corpora: [text], sidecar });
    const read = await profileModel(defaultModel, { ...windows, corpora: [], sidecar });
    expect(read.plot()).toBe(counted.plot());
    expect(read.plot()).toContain("layer 3");
    expect(read.curves.map(({ name }) => name).at(-1)).toBe("model");
  });

  it("of a SwiGLU model counts the top fifth of each token and keeps the norms it weighed by", async () => {
    using tiny = await makeTinyModel();
    const sidecar = newSidecar();
    const summary = await profileModel(tiny.path, { ...windows, corpora: [text], sidecar });
    // 13 of 64 neurons, for every token.
    expect(summary.activeSharePerLayer).toEqual([13 / 64, 13 / 64]);
    expect(summary.rule).toMatch(/top 20 %/);
    const tinyShape = sidecarModelOf(openModel(openGguf(tiny.path)));
    expect(openSidecar(sidecar, tinyShape).downNorms?.[1]).toHaveLength(64);
  });

  it("refuses no corpus at all, one that is named twice, and a sidecar of another model", async () => {
    const run = (corpora: string[], sidecar = newSidecar()) =>
      profileModel(defaultModel, { ...windows, corpora, sidecar });
    await expect(run([])).rejects.toThrow(/corpus: none/);
    await expect(run([text, text])).rejects.toThrow(/story\.txt twice/);
    const foreign = newSidecar();
    await updateSidecar(foreign, { ...shape, fingerprint: "00" }, {});
    const before = readFileSync(foreign);
    await expect(run([text], foreign)).rejects.toThrow(/another model/);
    expect(readFileSync(foreign).equals(before)).toBe(true);
  });
});

describe.skipIf(dataFolder === undefined)(
  `the default model on held-out books${withoutData}`,
  () => {
    it("is as active as its card says", async () => {
      const golden: { active_share_per_layer: number[] } = JSON.parse(
        readFileSync(new URL("../../test/golden/default.json", import.meta.url), "utf8"),
      );
      const { activeSharePerLayer } = await profileModel(defaultModel, {
        corpora: [`${dataFolder}/corpora/gutenberg_heldout.txt`],
        sidecar: newSidecar(),
        tokens: 4000,
      });
      // Other windows than the card's: texts differ by a few percent of the share, at 4000 tokens by up to a tenth.
      for (const [layer, share] of golden.active_share_per_layer.entries()) {
        expect((activeSharePerLayer[layer] ?? 0) / share).toBeGreaterThan(0.9);
        expect((activeSharePerLayer[layer] ?? 0) / share).toBeLessThan(1.1);
      }
    });
  },
);
