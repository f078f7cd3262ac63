/** A text of any length from some 80 tokens on is split into windows to learn from and to check with. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openTokenizer } from "../../commands/inspect.ts";
import { openCorpus } from "../corpus.ts";
import { minWindow } from "./checked-model.ts";
import { fittingWindow } from "./fitting-window.ts";
import { heldOutWindows } from "./windows.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-windows-"));
afterAll(() => rmSync(folder, { recursive: true }));
const tokenizer = openTokenizer(resolve(import.meta.dirname, "../../../models/default.gguf"));
const path = join(folder, "corpus.txt");
writeFileSync(
  path,
  "It was the best of times, it was the worst of times, it was the age of wisdom. ".repeat(400),
);

const split = { heldOut: 0.15, most: 10_000 };

describe("windows of a text", () => {
  it.each([150, 300, 600, 1200, 2000])(
    "of %d tokens leave some to check with, whatever the seed",
    async (tokens) => {
      const corpora = [await openCorpus(path)];
      for (let seed = 1; seed <= 10; seed++) {
        const request = { ...split, corpora, tokens, seed };
        const window = await fittingWindow(tokenizer, { ...request, window: 512 });
        expect(window).toBeGreaterThanOrEqual(minWindow);
        const { windows } = await heldOutWindows(tokenizer, { ...request, window });
        const checked = windows.reduce((sum, one) => sum + one.length, 0);
        expect(checked, `seed ${seed}`).toBeGreaterThanOrEqual(minWindow);
        expect(tokens - checked).toBeGreaterThanOrEqual(64);
      }
    },
  );

  it("stay as they are where there are enough, and where no length serves", async () => {
    const corpora = [await openCorpus(path)];
    const request = { ...split, corpora, seed: 1 };
    expect(await fittingWindow(tokenizer, { ...request, tokens: 8000, window: 64 })).toBe(64);
    expect(await fittingWindow(tokenizer, { ...request, tokens: 40, window: 64 })).toBe(64);
  });
});
