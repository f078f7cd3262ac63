/** Answers of a model whose layers have windows, far beyond them: rings turn, prompts share beginnings, contexts shift. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";

/** Rings of 64 cells: a window of 24 and steps of 32 rows. */
const options: EngineOptions = { contextLength: 256, batchSize: 32, cacheType: "f32" };

const windows = "--layers 4 --window 24 --window-pattern 2 --context 512 --seed 5";
const models: readonly (readonly [string, string])[] = [
  ["of olmo2", `--arch olmo2 ${windows}`],
  ["that the last layers read too, of gemma4", `--arch gemma4 ${windows}`],
];

const text = Array.from({ length: 150 }, (_, i) => 3 + ((i * i * 7 + i) % 290));

/** Tokens of the last prompt that were not read again. */
let cached = 0;

async function answer(of: Engine, prompt: readonly number[], maxTokens = 12) {
  const greedy = { temperature: 0, ignoreEos: true, contextShift: true } as const;
  const answered = await of.generate(prompt, { ...greedy, maxTokens }).result;
  cached = answered.cachedTokens;
  return answered.tokens;
}

describe.each(models)("a model with windows %s answers as from an empty cache", (_, args) => {
  let model: TinyModel;
  let engine: Engine;
  beforeAll(async () => {
    model = await makeTinyModel(args.split(" "));
    engine = await Engine.open(model.path, options);
  });
  afterAll(() => {
    engine.close();
    model[Symbol.dispose]();
  });

  /** By the reference, from an empty cache. */
  async function afresh(prompt: readonly number[], maxTokens?: number): Promise<readonly number[]> {
    const other = await Engine.open(model.path, { ...options, device: "reference" });
    try {
      return await answer(other, prompt, maxTokens);
    } finally {
      other.close();
    }
  }

  it("behind a prompt, behind its own answer, and behind another prompt with the same beginning", async () => {
    const first = await answer(engine, text);
    expect(first).toEqual(await afresh(text));
    const turn = [...text, ...first, 9, 8, 7];
    const again = await answer(engine, turn);
    expect(cached).toBe(text.length + first.length - 1);
    expect(again).toEqual(await afresh(turn));
    // The rings hold nothing of what a token at position 60 sees.
    const other = [...text.slice(0, 60), 5, 6, 7];
    expect(await answer(engine, other)).toEqual(await afresh(other));
  });

  it("when the context is full and its newer half is read again", async () => {
    expect(await answer(engine, text, 150)).toEqual(await afresh(text, 150));
  });
});
