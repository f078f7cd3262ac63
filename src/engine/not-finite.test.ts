/** A model whose weights hold NaN or infinities: answers and scores are refused, and what is sound goes on. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../backends/addon.ts";
import { listAdapters } from "../backends/webgpu/adapter.ts";
import { compareWithDense } from "../commands/compare.ts";
import { evaluate } from "../commands/eval.ts";
import { perplexity } from "../commands/perplexity.ts";
import { NotFiniteError } from "../core/errors.ts";
import { openGguf } from "../gguf/open.ts";
import type { Generation } from "../runtime/generation-stream.ts";
import { Engine } from "./engine.ts";
import type { Device, GenerateOptions } from "./options.ts";

const isGpu = (await listAdapters()).length > 0;
const isNative = loadAddon().kind === "loaded";
const hosts: readonly Device[] = ["reference", ...(isNative ? (["cpu"] as const) : [])];
const devices: readonly Device[] = [...hosts, ...(isGpu ? (["gpu"] as const) : [])];

const models: TinyModel[] = [];
afterAll(() => {
  for (const model of models) model[Symbol.dispose]();
});

/** A tiny model with the first weight of some rows of a tensor replaced. */
async function damagedModel(
  tensor: string,
  values: readonly (readonly [row: number, value: number])[],
): Promise<string> {
  const model = await makeTinyModel();
  models.push(model);
  const { offset = 0, dimensions = [] } = openGguf(model.path).tensors.get(tensor) ?? {};
  const bytes = readFileSync(model.path);
  const [width = 0] = dimensions;
  for (const [row, value] of values) bytes.writeFloatLE(value, offset + 4 * row * width);
  writeFileSync(model.path, bytes);
  return model.path;
}

/** Of the embedding of one token only. */
const badToken = 77;
let oneLogit: string;
let infinite: string;
let oneToken: string;

beforeAll(async () => {
  oneLogit = await damagedModel("output.weight", [[200, Number.NaN]]);
  // Whatever the sign of what they are multiplied with, one of the two is +Infinity.
  infinite = await damagedModel("output.weight", [
    [200, Number.POSITIVE_INFINITY],
    [201, Number.NEGATIVE_INFINITY],
  ]);
  oneToken = await damagedModel("token_embd.weight", [[badToken, Number.NaN]]);
});

const ids = [5, 6, 7];

describe.each(devices)("a damaged model on %s", (device) => {
  it("writes no answer, whatever is read back of its logits", async () => {
    using engine = await Engine.open(oneLogit, { device });
    const all: readonly GenerateOptions[] = [
      { temperature: 0 },
      { seed: 1 },
      { seed: 1, topK: 0 },
      { temperature: 0, logprobs: 2 },
      { seed: 1, presencePenalty: 1 },
    ];
    for (const options of all) {
      const { result } = engine.generate(ids, { ...options, maxTokens: 4 });
      await expect(result, JSON.stringify(options)).rejects.toThrow(NotFiniteError);
      await expect(result).rejects.toThrow(/at position 3 /);
    }
  });

  it("goes on with prompts that have nothing to do with the damage, in its place and beside it", async () => {
    using engine = await Engine.open(oneToken, { device, sequences: 2 });
    const options = { temperature: 0, maxTokens: 5 };
    const alone = await engine.generate(ids, options).result;
    const both = [engine.generate([5, badToken, 7], options), engine.generate(ids, options)];
    expect(await Promise.all(both.map(settled))).toEqual(["NotFiniteError", "length"]);
    const after = [engine.generate([9, 8, 7, 6], options), engine.generate(ids, options)];
    const texts = await Promise.all(after.map(({ result }) => result));
    expect(texts[1]?.tokens).toEqual(alone.tokens);
    expect(texts[0]?.finishReason).toBe("length");
  });
});

describe.each(hosts)("a damaged model on %s", (device) => {
  it("writes none when its largest value is infinite", async () => {
    using engine = await Engine.open(infinite, { device });
    for (const options of [{ temperature: 0 }, { seed: 1 }]) {
      const { result } = engine.generate(ids, { ...options, maxTokens: 1 });
      await expect(result).rejects.toThrow(NotFiniteError);
    }
  });

  it("gets no perplexity and no divergence", async () => {
    const text = Array.from({ length: 40 }, (_, i) => i % 7);
    const options = { device, window: 16 };
    await expect(perplexity(oneLogit, text, options)).rejects.toThrow(/at position 9 .*damaged/);
    await expect(compareWithDense(oneLogit, text, options)).rejects.toThrow(NotFiniteError);
  });

  it("gets no score of an evaluation", async () => {
    const data = join(dirname(oneLogit), "tasks");
    mkdirSync(join(data, "piqa"), { recursive: true });
    const question = { goal: "go", sol1: "walk", sol2: "wait" };
    writeFileSync(join(data, "piqa/valid.jsonl"), JSON.stringify(question));
    writeFileSync(join(data, "piqa/valid-labels.lst"), "1");
    const options = { device, tasks: ["piqa"], data };
    await expect(evaluate(oneLogit, options)).rejects.toThrow(NotFiniteError);
  });
});

/** How it ended. */
async function settled(answer: Generation): Promise<string> {
  try {
    return (await answer.result).finishReason;
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}
