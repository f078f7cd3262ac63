/**
 * Made models of qwen35 against llama.cpp 0.7.0 (llama-perplexity -c 64; llama-completion --temp 0, the bytes it printed),
 * on every device, and what a state that cannot go back must not change: batches, threads, other answers, what was read before.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { perplexity } from "../../src/commands/perplexity.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { answerBeside, expectRule, openForSharing } from "../fixtures/shared-steps.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const text = `The old harbour lay quiet in the morning, and the boats that had come in with the tide stood in a row along the wall.
A man with a grey coat counted them twice, wrote the number into a small book, and went home without a word.
His daughter asked how many there were. Nineteen, he said, and one of them is new; it has a red sail and no name.
She ran down to see it, but by then the water had turned, and where the red sail had been there was only the wide sea.
`;

const models = [
  {
    args: "--layers 4 --dim 64 --ffn 96 --seed 11",
    perplexity: 2763.6191,
    prompt: "A red sail",
    answer: "0478736a6a764f416da19a0341b4787a4fc06fad0681d57d",
  },
  {
    args:
      "--layers 5 --dim 96 --ffn 64 --heads 2 --kv-heads 1 --seed 12 --full-attention-interval 3 " +
      "--state-size 24 --state-groups 1 --state-heads 3 --convolution 3 --tied off",
    perplexity: 2718.5266,
    prompt: "A red sail",
    answer: "63e74ddca669737087ca3f6253524f38c2632a675bf58329",
  },
];

const made: TinyModel[] = [];
const greedy = { maxTokens: 24, temperature: 0 };
const withAddon = loadAddon().kind === "loaded";
const withGpu = (await listAdapters()).length > 0;

beforeAll(async () => {
  for (const { args } of models) {
    const common = ["--arch", "qwen35", "--context", "256"];
    made.push(await makeTinyModel([...common, ...args.split(" ")]));
  }
});
afterAll(() => {
  for (const model of made) model[Symbol.dispose]();
});

async function answerOf(model: number, options: EngineOptions): Promise<string> {
  const engine = await Engine.open(made[model]?.path ?? "", { contextLength: 128, ...options });
  try {
    return await engine.generate(models[model]?.prompt ?? "", greedy).text();
  } finally {
    engine.close();
  }
}

/** One model on the GPU: a software driver compiles for ten seconds. Layers on both devices: devices/hybrid/hybrid.test.ts. */
const runs: readonly (readonly [string, number, boolean, EngineOptions])[] = [
  ["the reference", 0, true, { device: "reference" }],
  ["the CPU", 0, withAddon, { device: "cpu" }],
  ["the CPU", 1, withAddon, { device: "cpu" }],
  ["the GPU", 0, withGpu, { device: "gpu", gpu: 0 }],
];

describe.each(runs)("qwen35 on %s, model %i", (name, model, isThere, options) => {
  it.skipIf(!isThere)("answers as llama.cpp does", async () => {
    const { perplexity: expected, answer } = models[model] ?? { perplexity: 0, answer: "" };
    if (name !== "the reference") {
      const measured = await perplexity(made[model]?.path ?? "", text, { ...options, window: 64 });
      expect(Math.abs(measured.perplexity / expected - 1)).toBeLessThan(1e-5);
    }
    const bytes = Buffer.from(answer, "hex");
    expect(await answerOf(model, options)).toBe(new TextDecoder().decode(bytes));
  });
});

describe.skipIf(!withAddon)("a state", () => {
  it("is the same whatever the threads and batches", async () => {
    const expected = await answerOf(0, { device: "cpu", threads: 1 });
    for (const options of [{ threads: 2 }, { batchSize: 3 }, { batchSize: 1, threads: 2 }]) {
      expect(await answerOf(0, { device: "cpu", ...options })).toBe(expected);
    }
  });

  it("is its own beside other answers", async () => {
    using opened = await openForSharing(made[0]?.path ?? "", { device: "cpu", sparsity: "dense" });
    const alone = await answerBeside(0, opened);
    for (const others of [1, 7]) {
      expectRule("float", await answerBeside(others, opened, alone.tokens), alone);
    }
  });

  it("goes on where a prompt begins with all that was read, and begins again for another", async () => {
    const path = made[0]?.path ?? "";
    const engine = await Engine.open(path, { device: "cpu", contextLength: 128 });
    const fresh = async (prompt: readonly number[]): Promise<readonly number[]> => {
      const other = await Engine.open(path, { device: "cpu", contextLength: 128 });
      const { tokens } = await other.generate(prompt, greedy).result;
      other.close();
      return tokens;
    };
    const first = [...engine.tokenize("The tide stood in a row")];
    const begun = await engine.generate(first, greedy).result;
    // The last token of an answer is not read.
    const longer = [...first, ...begun.tokens.slice(0, -1), 70, 71];
    const again = await engine.generate(longer, greedy).result;
    expect(again.cachedTokens).toBe(longer.length - 2);
    expect(again.tokens).toEqual(await fresh(longer));
    const other = [...longer.slice(0, 12), 80];
    const parted = await engine.generate(other, greedy).result;
    expect(parted.tokens).toEqual(await fresh(other));
    engine.close();
  });

  it("goes back to where it was saved, near the end of a prompt", async () => {
    const path = made[0]?.path ?? "";
    const options = { device: "cpu", contextLength: 256 } as const;
    const engine = await Engine.open(path, options);
    const first = [...engine.tokenize(text)].slice(0, 100);
    await engine.generate(first, greedy).result;
    // The next turn repeats the prompt without what a template put behind it.
    const next = [...first.slice(0, -4), 70, 71, 72];
    const again = await engine.generate(next, greedy).result;
    expect(again.cachedTokens).toBe(first.length - 4);
    const fresh = await Engine.open(path, options);
    expect(again.tokens).toEqual((await fresh.generate(next, greedy).result).tokens);
    for (const each of [engine, fresh]) each.close();
  });

  it("is read again when the context is full", async () => {
    const options = { device: "cpu", contextLength: 32 } as const;
    const engine = await Engine.open(made[0]?.path ?? "", options);
    const shifted = await engine.generate("A man", { ...greedy, maxTokens: 60, contextShift: true })
      .result;
    expect(shifted.tokens).toHaveLength(60);
    engine.close();
  });
});
