/** Models that make-model writes: they open and run, are the same each time, and fire as often as was asked. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { FfnCounts } from "../../src/backends/backend.ts";
import { createReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { weightTypes } from "../../src/core/dtype.ts";
import { createRandom } from "../../src/core/random.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { buildProgram, predictorMethod } from "../../src/model/build-program.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { architectureNames } from "../../src/model/registry.ts";
import { createStep, type Step } from "../../src/ops/program.ts";
import { makeModel } from "./make-model.ts";
import { parseOptions } from "./options.ts";

const folder = mkdtempSync(join(tmpdir(), "make-model-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shape = "--dim 256 --layers 2 --ffn 512 --heads 4 --kv-heads 2 --vocab 320 --context 64";
const tokenCount = 32;

async function make(name: string, args: string): Promise<Model> {
  const out = join(folder, `${name.replaceAll(/\W/g, "-")}.gguf`);
  await makeModel(parseOptions([out, ...shape.split(" "), ...args.split(" ")]));
  return openModel(openGguf(out));
}

/** Random tokens: with a tied or trained pattern the same few would come again. */
function randomStep(vocabulary: number): Step {
  const random = createRandom(7);
  const step = createStep(tokenCount, tokenCount);
  step.rowCount = tokenCount;
  step.outputCount = tokenCount;
  for (let row = 0; row < tokenCount; row++) {
    step.position[row] = row;
    step.outputRow[row] = row;
    step.token[row] = random.integer(vocabulary);
  }
  return step;
}

interface Observed {
  /** Share of h that is not 0, per layer. */
  readonly active: readonly number[];
  readonly logits: Float32Array;
  /** Largest |h|, per layer. */
  readonly largest: readonly number[];
}

const limits = {
  contextLength: 64,
  sequences: 1,
  maxRows: tokenCount,
  maxOutputs: tokenCount,
  kvType: "f32",
  output: "logits",
} as const;

async function observe(model: Model): Promise<Observed> {
  const exposed = model.layers.flatMap(({ ffn }, layer) => (ffn.kind === "block" ? [layer] : []));
  const { program, slots } = buildProgram(model, { ...limits, exposed });
  using executable = await createReferenceBackend().compile(program);
  await executable.run(0, randomStep(model.vocabulary));
  const hidden = slots.exposed.map(({ h }) => executable.output(h).slice());
  if (slots.logits === undefined) throw new Error("no logits");
  return {
    active: hidden.map((h) => h.reduce((sum, value) => sum + (value === 0 ? 0 : 1), 0) / h.length),
    largest: hidden.map((h) => h.reduce((most, value) => Math.max(most, Math.abs(value)), 0)),
    logits: executable.output(slots.logits).slice(),
  };
}

async function runWith(
  model: Model,
  method: "mlp" | "dense",
): Promise<{ readonly logits: Float32Array; readonly counts: readonly FfnCounts[] }> {
  const methodFor = method === "mlp" ? predictorMethod(model) : () => ({ kind: "dense" }) as const;
  const { program, slots } = buildProgram(model, { ...limits, methodFor });
  using executable = await createReferenceBackend().compile(program);
  await executable.run(0, randomStep(model.vocabulary));
  if (slots.logits === undefined) throw new Error("no logits");
  return { logits: executable.output(slots.logits).slice(), counts: executable.ffnCounts() };
}

function deviation(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

describe("a synthetic model", () => {
  it.each(architectureNames)(
    "of architecture %s opens and gives logits of a sound size",
    async (arch) => {
      const model = await make(arch, `--arch ${arch}`);
      expect(model.notices).toEqual([]);
      const { logits, largest } = await observe(model);
      expect(deviation(logits)).toBeGreaterThan(0.2);
      expect(deviation(logits)).toBeLessThan(20);
      for (const most of largest) expect(most).toBeLessThan(100);
    },
  );

  it.each(weightTypes)("can have type %s", async (type) => {
    const { logits } = await observe(await make(type, `--type ${type.toLowerCase()}`));
    expect(deviation(logits)).toBeGreaterThan(0.2);
    expect(deviation(logits)).toBeLessThan(20);
  });

  it("is the same, byte for byte, for the same options", async () => {
    const args = "--active 0.1 --activation relu --predictor-rank 32";
    await make("one", `--name same ${args}`);
    await make("two", `--name same ${args}`);
    await make("three", `--name same ${args} --seed 2`);
    const [one, two, three] = ["one", "two", "three"].map((name) =>
      readFileSync(join(folder, `${name}.gguf`)),
    );
    expect(one).toEqual(two);
    expect(one?.equals(three ?? Buffer.alloc(0))).toBe(false);
  });
});

describe("the share of neurons that fire", () => {
  const cases = [
    "--arch llama --activation relu --active 0.1",
    "--arch llama --activation relu --active 0.1 --skew 0.8",
    "--arch llama --activation relu --active 0.3",
    "--arch llama --activation relu --active 0.1 --type q4_0",
    "--arch llama --activation relu --active 0.1 --type q4_k",
    "--arch llama --activation relu --active 0.1 --predictor-rank 128",
    "--arch arcee --active 0.1",
    "--arch arcee --active 0.1 --predictor-rank 128 --skew 0.5",
    "--arch bamboo --active 0.1",
    "--arch bamboo --active 0.1 --predictor-rank 128",
    "--arch falcon --activation relu --active 0.1 --predictor-rank 128",
    "--arch opt --active 0.1",
    "--arch nemotron --active 0.2",
  ];
  it.each(cases)("is within a fifth of what was asked: %s", async (args) => {
    const asked = Number(/--active (\S+)/.exec(args)?.[1]);
    const { active } = await observe(await make(args, args));
    expect(Math.abs(average(active) / asked - 1)).toBeLessThan(0.2);
  });
});

describe("a synthetic predictor", () => {
  it.each(["llama", "bamboo", "falcon", "opt"])("of %s finds what fires", async (arch) => {
    const model = await make(`p-${arch}`, `--arch ${arch} --powerinfer --predictor-rank 128`);
    expect(model.gguf.magic).toBe("PWRI");
    const sparse = await runWith(model, "mlp");
    const dense = await runWith(model, "dense");
    const share = average(
      sparse.counts.map(({ active, rows, neurons }) => active / rows / neurons),
    );
    expect(Math.abs(share / 0.1 - 1)).toBeLessThan(0.2);
    const wrong = sparse.logits.map((logit, index) => logit - (dense.logits[index] ?? 0));
    expect(deviation(wrong)).toBeLessThan(0.02 * deviation(dense.logits));
  });
});
