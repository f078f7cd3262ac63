/**
 * Every architecture that native llama.cpp has, as it answers there: a made model's perplexity and three greedy
 * answers at once, on the CPU. `npm run prove:models -- --write` writes the expected numbers, and compares more.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeModel } from "../../tools/make-model/make-model.ts";
import { parseOptions } from "../../tools/make-model/options.ts";
import { provedCases } from "../../tools/prove-models/cases.ts";
import type { GoldenModel } from "../../tools/prove-models/golden.ts";
import { measure } from "../../tools/prove-models/measure.ts";

const file = new URL("made-models.json", import.meta.url);
const golden: readonly GoldenModel[] = JSON.parse(readFileSync(file, "utf8"));
const folder = mkdtempSync(join(tmpdir(), "made-models-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("made models", () => {
  it("have golden answers, each architecture and variant", () => {
    expect(golden.map(({ name }) => name)).toEqual([
      ...new Set(provedCases().map(({ name }) => name)),
    ]);
  });

  it.each(golden)("$name answers as native llama.cpp does", async ({ options, ...expected }) => {
    const path = join(folder, "model.gguf");
    await makeModel(parseOptions([path, ...options.trim().split(/\s+/)]));
    const { difference, wrongAnswers } = await measure(path, "cpu", expected);
    expect(wrongAnswers).toEqual([]);
    // Floats of 32 bits on both sides: the order of sums differs, and native looks GELU up in a table of 16 bits, in
    // gemma4 twice a layer.
    // Quantised experts: each program rounds what they multiply in its own way.
    expect(Math.abs(difference)).toBeLessThan(options.includes("--expert-type") ? 5e-3 : 5e-4);
  });
});
