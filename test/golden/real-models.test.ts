/**
 * Real models as native llama.cpp computes them: perplexity of a passage and greedy answers in a chat, with the weights
 * that the file holds and nothing rounded. `npm run fetch-models` fetches them, `npm run prove:real` compares more.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { realModels } from "../../tools/real-models/catalogue.ts";
import { answersOf, isSame, perplexityOf } from "../../tools/real-models/measure.ts";
import { passage } from "../../tools/real-models/passage.ts";

vi.setConfig({ testTimeout: 300_000 });

interface Golden {
  readonly name: string;
  readonly perplexity: number;
  readonly answers: readonly string[];
}

const file = new URL("real-models.json", import.meta.url);
const golden: readonly Golden[] = JSON.parse(readFileSync(file, "utf8"));
const folder = process.env["HEARTH_REAL_MODELS"];
const exact = { device: "cpu", exact: true } as const;

it("has golden answers of every real model", () => {
  expect(golden.map(({ name }) => name)).toEqual(realModels.map(({ name }) => name));
});

for (const model of realModels) {
  const path = join(folder ?? "", model.file);
  const isMissing = folder === undefined || !existsSync(path);
  const why = isMissing ? ` (skipped: HEARTH_REAL_MODELS names no folder with ${model.file})` : "";
  describe.skipIf(isMissing)(`${model.name}${why}`, () => {
    const expected = golden.find(({ name }) => name === model.name);

    it("reads a passage as native llama.cpp does", async () => {
      const found = await perplexityOf(path, passage, { ...exact, windows: 2 });
      expect(Math.abs(found / (expected?.perplexity ?? 0) - 1)).toBeLessThan(1e-4);
    });

    it("answers three questions at once as native llama.cpp answers each", async () => {
      const answers = await answersOf(path, model.questions, { ...exact, tie: 1e-3 });
      const wrong = answers.filter((answer, i) => !isSame(answer, expected?.answers[i] ?? ""));
      expect(wrong).toEqual([]);
    });
  });
}
