/**
 * Weight types as native llama.cpp reads them: the perplexity of made models, whose values ggml decoded. A sample, one
 * of each kind; `npm run prove:formats -- --text FILE --write` writes the expected numbers of all, and compares more.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import { provedTypes } from "../../tools/prove-formats/files.ts";
import { type GoldenFormat, madePerplexity, makeTyped } from "../../tools/prove-formats/made.ts";

const file = new URL("made-formats.json", import.meta.url);
const golden: readonly GoldenFormat[] = JSON.parse(readFileSync(file, "utf8"));
const folder = mkdtempSync(join(tmpdir(), "made-formats-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sample = ["Q2_K", "Q3_K", "IQ4_XS", "MXFP4", "NVFP4", "IQ3_S", "IQ2_XS", "IQ1_M", "TQ1_0"];
const addon = loadAddon();
const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";

describe.skipIf(addon.kind === "missing")(`made models in weight types${skipped}`, () => {
  it("have golden perplexities, each type", () => {
    expect(golden.map(({ type }) => type)).toEqual(provedTypes);
    expect(provedTypes).toEqual(expect.arrayContaining(sample));
  });

  it.each(golden.filter(({ type }) => sample.includes(type)))(
    "$type is read as native llama.cpp reads it",
    async ({ type, perplexity }) => {
      const path = join(folder, "model.gguf");
      await makeTyped(path, type);
      // Floats of 32 bits on both sides: the order of sums differs.
      expect(Math.abs((await madePerplexity(path)) / perplexity - 1)).toBeLessThan(1e-4);
    },
  );
});
