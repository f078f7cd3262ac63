/** Predictions: what is counted is what a token multiplies, and seconds follow from it. Speeds themselves: docs/measurements. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { modelFolder } from "../../../test/fixtures/changed-model.ts";
import { readHeaderRecords, writeHeaderFile } from "../../../test/fixtures/header-file.ts";
import { ownCache } from "../../../test/fixtures/own-cache.ts";
import { loadAddon } from "../../backends/addon.ts";
import { packagePath } from "../../core/package-root.ts";
import { openSetup } from "../../engine/model-setup.ts";
import { programOf } from "../../engine/program-of.ts";
import { denseSparsity } from "../../engine/resolve-sparsity.ts";
import { decodeSeconds, promptSpeed } from "./cpu-seconds.ts";
import { type Prediction, predictSpeed } from "./predict.ts";
import { bytesOfProducts, countProducts, type ProductCount } from "./product-counts.ts";

const models = modelFolder();
const cache = ownCache();
afterAll(() => {
  models[Symbol.dispose]();
  cache[Symbol.dispose]();
});

async function countsOf(args: string): Promise<readonly ProductCount[]> {
  const setup = await openSetup(await models.write(args), { sparsity: "dense" }, "per sequence");
  const built = programOf({ ...setup, sparsity: denseSparsity }, { output: "logits" });
  return countProducts(built.program, () => 1);
}

/** Of the shape that `modelFolder` gives: 2 layers, dim 128, 256 neurons, 2 of 4 heads with keys. */
const attention = 2 * (128 * 128 + 2 * 64 * 128 + 128 * 128);
const blocks = 2 * 3 * 256 * 128;
const vocabulary = 300 * 128;

describe("the products of a token", () => {
  it("are all matrices but the embedding, of which a row is read", async () => {
    const counts = await countsOf("--arch llama --type f16");
    expect(bytesOfProducts(counts)).toBe(2 * (attention + blocks + vocabulary));
    const head = counts.filter(({ isHead }) => isHead);
    expect(bytesOfProducts(head)).toBe(2 * vocabulary);
  });

  it("are the embedding too where it is the output matrix", async () => {
    const counts = await countsOf("--arch gemma2 --type f16");
    expect(bytesOfProducts(counts)).toBe(2 * (attention + blocks + vocabulary));
  });

  it("are of active neurons alone where a method leaves the others out", async () => {
    const path = packagePath("models/default.gguf");
    const setup = await openSetup(path, { sparsity: "gate" }, "per sequence");
    const gate = { ...denseSparsity, methodFor: () => ({ kind: "gate" }) as const };
    const { program } = programOf({ ...setup, sparsity: gate }, { output: "logits" });
    const bytes = (active: number): number => bytesOfProducts(countProducts(program, () => active));
    // Up is read for all neurons, down for those that fire: 4 layers of 1536 neurons, dim 256, F16.
    const down = 4 * 1536 * 256 * 2;
    expect(bytes(1) - bytes(0)).toBeCloseTo(down, 0);
    expect(bytes(1) - bytes(0.25)).toBeCloseTo(0.75 * down, 0);
  });
});

describe("seconds on the processor", () => {
  const counts: readonly ProductCount[] = [
    { type: "Q8_0", columns: 1024, rows: 100_000, isHead: false },
    { type: "F16", columns: 512, rows: 1000, isHead: true },
  ];
  const cpu = {
    name: "made up",
    threads: 1,
    readBytesPerSecond: { default: 1e9 },
    dispatchSeconds: 1e-3,
  };
  const rows = { of: () => ({ memorySeconds: 2e-6, cacheSeconds: 1e-6, promptSeconds: 1e-5 }) };
  const here = { rows, overheadSeconds: 1e-4 };

  it("are those of its rows, from memory where a token reads much, and what a token takes beside them", () => {
    const task = { cpu, layers: 3, counts, here };
    expect(decodeSeconds(task)).toBeCloseTo(101_000 * 2e-6 + 1e-4, 9);
    const few = counts.map((count) => ({ ...count, rows: 10 }));
    expect(decodeSeconds({ ...task, counts: few })).toBeCloseTo(20 * 1e-6 + 1e-4, 9);
  });

  it("of a described processor are bytes by its speed of reading, and what layers cost", () => {
    const seconds = decodeSeconds({ cpu, layers: 3, counts, here: undefined });
    expect(seconds).toBeCloseTo((100_000 * 1088 + 1000 * 1024) / 1e9 + 3e-3, 9);
    expect(promptSpeed({ cpu, layers: 0, counts, here: undefined })).toBeUndefined();
  });

  it("of a prompt leave the head to its last token", () => {
    const task = { cpu, layers: 0, counts, here };
    const head = 1000 * 1e-6 + 1e-4;
    expect(promptSpeed(task)).toBeCloseTo(128 / (100_000 * 1e-5 + head), 3);
  });
});

describe("a prediction", () => {
  /** Of a published file, whose weights are holes. */
  const predict = async (name: string, hardware: string): Promise<Prediction> => {
    const record = readHeaderRecords().get(name);
    if (record === undefined) throw new Error(`no header of ${name}`);
    const path = join(cache.folder, `${name}.gguf`);
    writeHeaderFile(path, record, 1024);
    const prediction = await predictSpeed(path, { hardware });
    rmSync(path);
    if (prediction === undefined) throw new Error("nothing was predicted");
    return prediction;
  };

  it("for a described card is its plan, then the processor alone", async () => {
    const { ways, memory, reason, machine } = await predict("SmolLM3-3B", "rtx-4090");
    expect(machine).toMatch(/4090/);
    expect(ways.map(({ device }) => device)).toEqual(["gpu", "cpu"]);
    const [card, processor] = ways;
    expect(card?.decodeTokensPerSecond).toBeGreaterThan(
      3 * (processor?.decodeTokensPerSecond ?? 0),
    );
    expect(memory.gpu?.placedBytes).toBeGreaterThan(1.5e9);
    expect(memory.availableBytes).toBeUndefined();
    expect(reason).toMatch(/^all of it takes .* of the .* GiB that the card gives$/);
  });

  it("is left out where this machine was not measured and is not to be", async () => {
    const path = await models.write("--arch llama");
    expect(await predictSpeed(path, { unmeasured: "give up" })).toBeUndefined();
  });

  const addon = loadAddon();
  const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";
  it.skipIf(addon.kind === "missing")(
    `for this machine measures it once, and is the same the second time${skipped}`,
    async () => {
      const path = packagePath("models/default.gguf");
      const first = await predictSpeed(path, { threads: 1 });
      expect(first?.ways.map(({ sparsity }) => sparsity).slice(-2)).toEqual(["gate", "dense"]);
      for (const way of first?.ways ?? []) {
        expect(way.decodeTokensPerSecond).toBeGreaterThan(1);
        expect(way.decodeTokensPerSecond).toBeLessThan(1e7);
      }
      expect(first?.memory.neededBytes).toBeGreaterThan(10_000_000);
      const again = await predictSpeed(path, { threads: 1, unmeasured: "give up" });
      expect(again).toEqual(first);
    },
  );
});
