/** Sparsity methods in whole models: exact where they claim to be, refused where they cannot apply, never NaN. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, vi } from "vitest";
import { makeModel } from "../../tools/make-model/make-model.ts";
import { parseOptions } from "../../tools/make-model/options.ts";
import { loadAddon } from "../backends/addon.ts";
import { perplexity } from "../commands/perplexity.ts";
import { type WeightType, weightTypes } from "../core/dtype.ts";
import { openGguf } from "../gguf/open.ts";
import { headsOf } from "../model/hyperparameters.ts";
import { openModel } from "../model/model.ts";
import { blockOf } from "../model/weights.ts";
import type { MethodName } from "../sparsity/method-names.ts";
import type { InputThresholds, Sidecar } from "../sparsity/sidecar/sidecar.ts";
import { updateSidecar } from "../sparsity/sidecar/write.ts";
import { Engine } from "./engine.ts";
import { sidecarModelOf } from "./model-sidecar.ts";
import { openModelFile } from "./open.ts";
import type { Device, EngineOptions } from "./options.ts";
import { sparsityReport } from "./sparsity-report.ts";

/** Every method is run by every backend, the plain ones too. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const folder = mkdtempSync(join(tmpdir(), "hearth-methods-"));
afterAll(() => rmSync(folder, { recursive: true }));

const addon = loadAddon();
const devices: readonly Device[] = addon.kind === "loaded" ? ["reference", "cpu"] : ["reference"];
const defaultModel = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const dataFolder = process.env["HEARTH_TEST_DATA"];
const withoutData = dataFolder === undefined ? " (skipped: HEARTH_TEST_DATA is not set)" : "";

const shape = "--dim 256 --layers 2 --ffn 512 --heads 4 --kv-heads 2 --vocab 320 --context 64";
async function make(name: string, args: string): Promise<string> {
  const out = join(folder, `${name}.gguf`);
  await makeModel(parseOptions([out, ...shape.split(" "), ...args.split(" ")]));
  return out;
}

interface Answer {
  readonly tokens: readonly number[];
  /** Of each step, one row after the other. */
  readonly logits: readonly Float32Array[];
  readonly details: readonly string[];
  readonly activeShare: number;
  /** Bytes read, of those of a dense token. */
  readonly bytesShare: number;
}

/** Greedy, from token ids. */
async function answer(
  path: string,
  prompt: readonly number[],
  options: EngineOptions & { readonly count?: number; readonly with?: Sidecar },
): Promise<Answer> {
  const { count = 16, with: sidecar, ...engine } = options;
  const opened = await openModelFile(
    path,
    { cacheType: "f32", ...engine },
    "per sequence",
    sidecar,
  );
  try {
    const { session } = opened;
    for (const token of prompt.slice(0, -1)) session.add(0, token);
    let next = prompt.at(-1) ?? 0;
    const tokens: number[] = [];
    const logits: Float32Array[] = [];
    for (let step = 0; step < count; step++) {
      const output = session.addForOutput(0, next, step === 0 ? "prompt" : "answer");
      await session.run();
      const row = session.logits(output).slice();
      next = row.indexOf(row.reduce((best, value) => Math.max(best, value), -Infinity));
      tokens.push(next);
      logits.push(row);
    }
    const { activeShare, bytesTouchedPerToken, bytesDensePerToken } = sparsityReport(opened);
    const bytesShare = bytesTouchedPerToken / bytesDensePerToken;
    return { tokens, logits, details: opened.details, activeShare, bytesShare };
  } finally {
    opened[Symbol.dispose]();
  }
}

/** Largest difference of logits, as a share of the largest logit. */
function worst(a: Answer, b: Answer): number {
  const largest = b.logits.flatMap((row) => [...row]).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const differences = a.logits.map((row, step) =>
    row.reduce((m, v, i) => Math.max(m, Math.abs(v - (b.logits[step]?.[i] ?? Number.NaN))), 0),
  );
  return Math.max(...differences) / largest;
}

const prompt = [1, 17, 42, 99, 7, 255, 18];

/**
 * gate leaves out zeros and adds the rest in another order: float32 sums of up to 1536 terms in 4 layers differ by at
 * most terms · layers · 2^-24 = 4e-4 of the sum of magnitudes.
 */
const reordered = 4e-4;

describe.each(devices)("gate on the %s backend", (device) => {
  it("gives the default model's tokens and logits", async () => {
    const golden: { prompts: { prompt_ids: number[]; greedy_ids: number[] }[] } = JSON.parse(
      readFileSync(new URL("../../test/golden/default.json", import.meta.url), "utf8"),
    );
    for (const { prompt_ids, greedy_ids } of golden.prompts.slice(0, 2)) {
      const count = greedy_ids.length;
      const gate = await answer(defaultModel, prompt_ids, { device, sparsity: "gate", count });
      const dense = await answer(defaultModel, prompt_ids, { device, sparsity: "dense", count });
      expect(gate.tokens).toEqual(greedy_ids);
      expect(worst(gate, dense)).toBeLessThan(reordered);
      expect(gate.activeShare).toBeLessThan(0.2);
      expect(dense.activeShare).toBe(1);
    }
  });

  it.each([
    ["ReGLU", "--arch llama --activation relu --active 0.1"],
    ["ungated ReLU", "--arch opt --activation relu --active 0.1"],
    ["ungated relu2", "--arch arcee --active 0.15"],
    ["dReLU", "--arch bamboo --activation relu --active 0.1"],
    ["random ReGLU weights", "--arch llama --activation relu"],
  ])("gives the dense tokens and logits of a synthetic %s model", async (name, args) => {
    const path = await make(`gate ${name} ${device}`, args);
    const gate = await answer(path, prompt, { device, sparsity: "gate" });
    const dense = await answer(path, prompt, { device, sparsity: "dense" });
    expect(gate.tokens).toEqual(dense.tokens);
    expect(worst(gate, dense)).toBeLessThan(reordered);
    expect(gate.activeShare).toBeLessThan(0.7);
  });
});

describe.skipIf(dataFolder === undefined)(`PowerInfer's files${withoutData}`, () => {
  it.each(devices.flatMap((device) => ["auto", "mlp"].map((sparsity) => [device, sparsity])))(
    "speak as PowerInfer does on the %s backend with --sparsity %s",
    async (device, sparsity) => {
      for (const name of ["llama-0", "bamboo-3", "falcon-0", "opt-0"]) {
        const stem = `${dataFolder}/models/powerinfer/${name}`;
        const golden: { prompt_ids: number[]; greedy_ids: number[] } = JSON.parse(
          readFileSync(`${stem}.json`, "utf8"),
        );
        const spoken = await answer(`${stem}.powerinfer.gguf`, golden.prompt_ids, {
          device: device === "cpu" ? "cpu" : "reference",
          sparsity: sparsity === "mlp" ? "mlp" : "auto",
          count: golden.greedy_ids.length,
        });
        expect(spoken.tokens, name).toEqual(golden.greedy_ids);
        expect(spoken.activeShare, name).toBeLessThan(0.5);
      }
    },
  );
});

describe.skipIf(addon.kind !== "loaded")(
  `two threads${addon.kind === "missing" ? ` (skipped: ${addon.reason})` : ""}`,
  () => {
    it.each(["mlp", "gate", "threshold"] as const)(
      "give one and the same perplexity in six runs of %s, to the last digit",
      async (sparsity) => {
        const args = "--arch llama --activation relu --active 0.2 --predictor-rank 32";
        const path = await make(`six runs ${sparsity}`, args);
        await updateSidecar(
          path.replace(".gguf", ".sparsity.gguf"),
          sidecarModelOf(openModel(openGguf(path))),
          { thresholds: { tables: [inputTable(2)], chosen: 0 } },
        );
        const ids = Array.from({ length: 256 }, (_, at) => (at * at * 7 + 3 * at) % 320);
        const seen = new Set<number>();
        for (let run = 0; run < 6; run++) {
          const options = { device: "cpu", threads: 2, window: 64, sparsity } as const;
          seen.add((await perplexity(path, ids, options)).perplexity);
        }
        expect(seen.size).toBe(1);
        expect([...seen].every(Number.isFinite)).toBe(true);
      },
    );
  },
);

describe("a method that cannot apply", () => {
  const refusals: readonly [string, string, MethodName, RegExp][] = [
    ["gate", "--arch llama", "gate", /gate.*available: dense\..*silu/],
    ["mlp", "--arch llama --activation relu", "mlp", /available: dense, gate\..*hearth prepare/],
    ["sign", "--arch llama --activation relu", "sign", /margins; hearth prepare/],
    ["threshold", "--arch llama", "threshold", /thresholds; hearth prepare/],
  ];
  it.each(refusals)("is refused: %s for %s", async (name, args, sparsity, message) => {
    const path = await make(`refused ${name}`, args);
    await expect(answer(path, prompt, { device: "reference", sparsity })).rejects.toThrow(message);
  });

  it("is refused by name when it does not exist", async () => {
    const sparsity: string = "magic";
    const options = Object.fromEntries([["sparsity", sparsity]]);
    await expect(Engine.open(defaultModel, options)).rejects.toThrow(/magic.*auto, dense, gate/);
  });
});

describe.skipIf(addon.kind !== "loaded")(
  `inputs that are masked${addon.kind === "missing" ? ` (skipped: ${addon.reason})` : ""}`,
  () => {
    it.each(["llama", "falcon"])(
      "give the same logits by copies, by rows and on any number of threads: %s",
      async (arch) => {
        const path = await make(`masked ${arch}`, `--arch ${arch}`);
        const model = openModel(openGguf(path));
        const { neurons } = sidecarModelOf(model);
        const each = neurons.map(() => undefined);
        const lists = { downRows: each, predictors: each, signs: each };
        const channels = each.map(() => ({}));
        const thresholds = { tables: [inputTable(neurons.length)], chosen: 0 };
        const sidecar: Sidecar = { path: "none", ...lists, channels, thresholds };
        const run = (device: Device, threads = 1) =>
          answer(path, prompt, { device, threads, sparsity: "threshold", with: sidecar, count: 8 });
        const plain = await run("reference");
        const one = await run("cpu");
        const two = await run("cpu", 2);
        expect(one.details.join()).toMatch(
          /matrices were copied at load with a row for each input \(.* of F16/,
        );
        expect(two.logits).toEqual(one.logits);
        expect(one.tokens).toEqual(plain.tokens);
        expect(worst(one, plain)).toBeLessThan(reordered);
        const dense = await answer(path, prompt, { device: "cpu", sparsity: "dense", count: 8 });
        expect(worst(one, dense)).toBeGreaterThan(reordered);
        const bytes = (report: Answer) => report.bytesShare;
        expect(bytes(dense)).toBe(1);
        expect(bytes(one)).toBeLessThan(0.8);
        // The reference reads whole matrices of the inputs, and the down rows that are left.
        expect(bytes(plain)).toBeGreaterThan(bytes(one));
      },
    );
  },
);

describe("auto", () => {
  it("says which method it took and why, and what it had to make", async () => {
    const { details } = await answer(defaultModel, prompt, { device: "reference", count: 1 });
    expect(details.join("\n")).toMatch(/sparsity gate: relu2 is exactly zero/);
    expect(details.join("\n")).toMatch(
      /4 layers were transposed at load \(3\.0 MiB of F16.*hearth prepare/,
    );
  });

  it.each([
    ["q8_0", /down projections of Q8_0 were rounded once more, to F16, .* from sparsity dense/],
    ["q4_k", /down projections of Q4_K were rounded once more, to Q8_0, .* from sparsity dense/],
  ])("says that the gate is not exact for a model of %s", async (type, message) => {
    const path = await make(`rounded ${type}`, `--arch arcee --type ${type}`);
    const gate = { device: "reference", sparsity: "gate", count: 1 } as const;
    expect((await answer(path, prompt, gate)).details.join("\n")).toMatch(message);
    const float = await make("not rounded", "--arch arcee --type f16");
    expect((await answer(float, prompt, gate)).details.join("\n")).not.toMatch(/rounded/);
    const dense = await answer(path, prompt, { ...gate, sparsity: "dense" });
    expect(dense.details.join("\n")).not.toMatch(/rounded/);
  });

  it("stays dense where activations never rest, and says what would help", async () => {
    const path = await make("auto silu", "--arch llama");
    const { details, activeShare } = await answer(path, prompt, { device: "reference", count: 1 });
    expect(details.join("\n")).toMatch(/sparsity dense: silu never rests; hearth prepare/);
    expect(activeShare).toBe(1);
  });

  it("refuses a sidecar of another model, which dense does not even look at", async () => {
    const path = await make("foreign", "--arch llama --activation relu");
    const widths = { queries: 256, keys: 128, values: 128, output: 256 };
    const attention = [widths, widths];
    const other = { fingerprint: "00", dim: 256, neurons: [512, 512], attention };
    await updateSidecar(path.replace(".gguf", ".sparsity.gguf"), other, {});
    const run = (sparsity: "auto" | "dense") =>
      answer(path, prompt, { device: "reference", sparsity, count: 1 });
    await expect(run("auto")).rejects.toThrow(/another model/);
    await expect(run("dense")).resolves.toBeDefined();
  });
});

/** Masks about half of the inputs of a synthetic model. */
function inputTable(layers: number): InputThresholds {
  const shares = { attention: 0.5, attentionOutput: 0.5, ffn: 0.5, output: 0.5 };
  const value = { attention: 0.6, attentionOutput: 0.01, ffn: 0.6, output: 0.01 };
  return { score: "input", shares, values: Array.from({ length: layers }, () => value) };
}

/** Every method that the model's activation allows, with calibration that keeps about half of the neurons. */
async function everyMethod(path: string): Promise<readonly [MethodName, Sidecar][]> {
  const model = openModel(openGguf(path));
  const { neurons } = sidecarModelOf(model);
  const each = neurons.map(() => undefined);
  const lists = { downRows: each, predictors: each, signs: each, channels: each.map(() => ({})) };
  const nothing: Sidecar = { path: "none", ...lists };
  const values = neurons.map(() => 0.01);
  const thresholds = (score: "gate" | "output"): Sidecar => ({
    ...nothing,
    thresholds: { tables: [{ score, sparsity: 0.5, values }], chosen: 0 },
  });
  const { dim, attention } = model.hyperparameters;
  const { heads, valueWidth } = headsOf(attention);
  const ones = (width: number) => new Float32Array(width).fill(1);
  const inputs: Sidecar = {
    ...nothing,
    // Norms of 1, so that no time goes into finding those of the weights: normed inputs are about 1, too.
    columnNorms: neurons.map(() => ({
      attention: ones(dim),
      attentionOutput: ones(heads * valueWidth),
      ffn: ones(dim),
    })),
    thresholds: { tables: [inputTable(neurons.length)], chosen: 0 },
  };
  const gated = model.architecture.gating === "gated";
  const relu = model.activation.kind === "relu";
  const sign = { margins: neurons.map(() => -64), recall: neurons.map(() => 1) };
  return [
    ["dense", nothing],
    ["threshold", thresholds("output")],
    ["threshold", inputs],
    ...(gated ? [["threshold", thresholds("gate")] as [MethodName, Sidecar]] : []),
    ...(relu
      ? ([
          ["gate", nothing],
          ["sign", { ...nothing, sign }],
        ] as [MethodName, Sidecar][])
      : []),
    ...(model.layers.some((layer) => blockOf(layer)?.predictor)
      ? [["mlp", nothing] as [MethodName, Sidecar]]
      : []),
  ];
}

describe.each(devices)("every method on the %s backend", (device) => {
  const models: readonly (readonly [string, string])[] = [
    ["ReGLU", "--arch llama --activation relu --active 0.2 --predictor-rank 32"],
    ["SwiGLU", "--arch llama"],
    ["ungated ReLU", "--arch arcee --activation relu"],
    ["dReLU", "--arch bamboo --activation relu"],
  ];
  const small = "--layers 1 --ffn 256";
  /** The first eleven types meet every model, one of each later kind meets one: conformance has them all. */
  const later: readonly WeightType[] = ["Q3_K", "IQ4_XS", "IQ2_S", "TQ1_0"];
  const cases = weightTypes.flatMap((type, t) =>
    models
      .filter((_, m) => t < 11 || later.indexOf(type) === m)
      .map(([name, args]) => [type, name, args] as const),
  );
  it.each(cases)("gives finite logits for %s, %s", async (type: WeightType, name, args) => {
    const path = await make(
      `${type} ${name} ${device}`,
      `${args} ${small} --type ${type.toLowerCase()}`,
    );
    let tried = 0;
    for (const [sparsity, sidecar] of await everyMethod(path)) {
      const { logits, activeShare } = await answer(path, prompt, {
        device,
        sparsity,
        with: sidecar,
        count: 3,
      });
      expect(
        logits.every((row) => row.every(Number.isFinite)),
        `${sparsity}`,
      ).toBe(true);
      expect(activeShare, `${sparsity}`).toBeGreaterThan(0);
      tried++;
    }
    expect(tried).toBeGreaterThan(1);
    rmSync(path);
  });
});
