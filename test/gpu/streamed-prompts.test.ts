/**
 * Prompts that stream, on this machine's driver: the processor's tokens, bytes counted to the last one and within the budget,
 * windows of any size, and a device that is lost half way. HEARTH_CONFORMANCE=most, as in other suites, runs all of it.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { createCpuBackend } from "../../src/backends/cpu/cpu-backend.ts";
import type { GpuExecutable } from "../../src/backends/webgpu/executable.ts";
import {
  createWebGpuBackend,
  type WebGpuBackend,
} from "../../src/backends/webgpu/webgpu-backend.ts";
import { rowLayout } from "../../src/backends/webgpu/weight-layout.ts";
import { planPlacement } from "../../src/commands/plan.ts";
import { DeviceError } from "../../src/core/errors.ts";
import { createHybridBackend } from "../../src/devices/hybrid/backend.ts";
import { partitionProgram } from "../../src/devices/hybrid/partition.ts";
import type { Placement } from "../../src/devices/hybrid/placement.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { buildProgram } from "../../src/model/build-program.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { createStep, type Step } from "../../src/ops/program.ts";
import { serialiseHardwareProfile } from "../../src/placement/hardware.ts";
import { parsePlan } from "../../src/placement/plan-json.ts";
import { obstacle, skipped } from "../fixtures/both-devices.ts";
import { generousCard } from "../fixtures/generous-card.ts";
import { ownCache } from "../fixtures/own-cache.ts";
import { hot, type LayerChoice, placementOf } from "../fixtures/placements.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const files: TinyModel[] = [];
afterAll(() => {
  for (const file of files) file[Symbol.dispose]();
});

async function tinyModel(changes: readonly string[]): Promise<Model> {
  const file = await makeTinyModel(["--type", "f16", ...changes]);
  files.push(file);
  return openModel(openGguf(file.path));
}

const size = {
  contextLength: 32,
  sequences: 1,
  maxRows: 18,
  maxOutputs: 1,
  kvType: "f32",
  output: "logits",
} as const;

function promptStep(): Step {
  const step = createStep(size.maxRows, size.maxOutputs);
  step.rowCount = size.maxRows;
  for (let row = 0; row < step.rowCount; row++) {
    step.position[row] = row;
    step.token[row] = (5 + 13 * row) % 300;
  }
  step.outputRow[0] = step.rowCount - 1;
  step.outputCount = 1;
  return step;
}

interface Answer {
  readonly tokens: readonly number[];
  readonly bytesStreamed: number;
  readonly gpuBytes: number;
}

/** Greedy tokens behind a prompt of one step. */
async function answer(
  model: Model,
  placement: Placement,
  options: { readonly streams: boolean; readonly windowBytes?: number },
): Promise<Answer> {
  const { program, slots } = buildProgram(model, size);
  let card: GpuExecutable | undefined;
  const webgpu = await createWebGpuBackend({
    adapter: 0,
    ...(options.windowBytes !== undefined && { windowBytes: options.windowBytes }),
  });
  const gpu = {
    ...webgpu,
    compile: async (...of: Parameters<WebGpuBackend["compile"]>) => {
      card = await webgpu.compile(...of);
      return card;
    },
  };
  const promptPath = { path: "stream", fromRows: 2 } as const;
  using backend = createHybridBackend({
    gpu,
    cpu: createCpuBackend({ threads: 1 }),
    placement,
    ...(options.streams && { promptPath }),
  });
  using executable = await backend.compile(program);
  const { mappedWeights: _, ...memory } = card!.memory;
  const step = promptStep();
  const tokens: number[] = [];
  for (let position = size.maxRows; tokens.length < 6; position++) {
    await executable.run(0, step);
    const logits = executable.output(slots.logits!);
    const token = logits.indexOf(Math.max(...logits));
    tokens.push(token);
    step.rowCount = step.answerRows = 1;
    step.outputRow[0] = 0;
    step.position[0] = position;
    step.token[0] = token;
  }
  const gpuBytes = Object.values(memory).reduce((sum, bytes) => sum + bytes, 0);
  return { tokens, bytesStreamed: card!.gpuCounts().bytesStreamed, gpuBytes };
}

const told = (share: number): LayerChoice => ({ ...hot(share), predictsOnGpu: true });
const predictors = ["--powerinfer", "--predictor-rank", "16", "--dim", "128", "--ffn", "256"];
const cases: readonly (readonly [string, readonly string[], LayerChoice])[] = [
  ["predictors of the card's own", predictors, hot(0.5)],
  ["a card that predicts for both", predictors, told(0.25)],
  ["opt, biases, nothing hot", ["--arch", "opt", ...predictors], hot(0)],
  ["experts with biases", ["--arch", "gpt-oss"], hot(0.5)],
];

/** HEARTH_CONFORMANCE=most: every case, and windows of a row and of any size. A driver in software compiles for half a minute in each. */
const isMost = /^(all|most)$/.test(process.env["HEARTH_CONFORMANCE"] ?? "");
const sample = cases.filter(([name]) => name === "a card that predicts for both");

const cache = ownCache();
afterAll(() => cache[Symbol.dispose]());
const hardware = join(cache.folder, "card.json");
writeFileSync(hardware, serialiseHardwareProfile(generousCard));

describe.skipIf(obstacle !== undefined)(`an engine whose prompts stream${skipped}`, () => {
  it("keeps to its budget and answers as without", async () => {
    const file = await makeTinyModel(["--type", "f16", "--ffn", "2048", "--activation", "relu"]);
    files.push(file);
    const options = { sparsity: "gate", contextLength: 64, batchSize: 24, threads: 1 } as const;
    const placing = { ...options, gpu: 0, hardware } as const;
    const prompt = Array.from({ length: 40 }, (_, at) => (5 + 13 * at) % 300);
    const ask = { temperature: 0, maxTokens: 8, ignoreEos: true } as const;
    const answerOf = async (own: EngineOptions) => {
      using engine = await Engine.open(file.path, own);
      const { tokens } = await engine.generate(prompt, ask).result;
      return { tokens, ...(await engine.report()) };
    };
    const { tokens: wanted } = await answerOf({ ...options, device: "cpu" });
    const plan = await planPlacement(file.path, { ...placing, vramBudget: 2 ** 28 });
    const { gpuBytes } = parsePlan(JSON.stringify(plan.json), "plan");
    let streaming = 0;
    for (const share of isMost ? [0.5, 0.75, 0.9, 1] : [0.9]) {
      const own = { ...placing, vramBudget: Math.floor(share * gpuBytes) };
      const promptStream = "always";
      const { json } = await planPlacement(file.path, { ...own, promptStream });
      const streamed = await answerOf({ ...own, device: "hybrid", promptStream });
      expect(streamed.tokens).toEqual(wanted);
      const { layers, ...planned } = parsePlan(JSON.stringify(json), "plan");
      expect(streamed.gpu?.bytes ?? 0).toBe(planned.gpuBytes);
      expect(planned.gpuBytes).toBeLessThanOrEqual(own.vramBudget);
      // Two steps read 40 tokens: each cold row of gate, up and down came twice.
      const cold = layers
        .filter(({ attentionDevice }) => attentionDevice === "gpu0")
        .flatMap(({ parts }) => parts.filter(({ device }) => device === "cpu"))
        .reduce((sum, { units }) => sum + units.length, 0);
      const rowBytes = rowLayout("F16", 32).gpuBytes;
      expect(streamed.gpu?.bytesStreamed ?? 0).toBe(2 * cold * 3 * rowBytes);
      expect(planned.streamPromptsFrom).toBe(cold === 0 ? undefined : 2);
      expect(streamed.hybrid?.promptPath).toBe(cold === 0 ? "split" : "stream");
      streaming += cold;
    }
    expect(streaming).toBeGreaterThan(0);
  });

  it("reads a prompt in longer steps where that pays, so that cold rows come once", async () => {
    const file = await makeTinyModel([
      ...["--type", "f16", "--layers", "24", "--dim", "256", "--ffn", "2048", "--context", "512"],
    ]);
    files.push(file);
    const machine = join(cache.folder, "multiplying.json");
    const { cpu, gpu: card } = generousCard;
    const multiplying = {
      ...generousCard,
      cpu: { ...cpu, promptFlopsPerSecond: 1e8 },
      gpu: { ...card!, promptFlopsPerSecond: 1e14 },
    };
    writeFileSync(machine, serialiseHardwareProfile(multiplying));
    const options = { sparsity: "dense", contextLength: 512, threads: 1 } as const;
    const placing = { ...options, gpu: 0, hardware: machine, vramBudget: 45e6 } as const;
    const prompt = Array.from({ length: 200 }, (_, at) => (5 + 13 * at) % 300);
    const ask = { temperature: 0, maxTokens: 4, ignoreEos: true } as const;
    const answerOf = async (own: EngineOptions) => {
      using engine = await Engine.open(file.path, own);
      const { tokens } = await engine.generate(prompt, ask).result;
      return { tokens, ...(await engine.report()) };
    };
    const { json } = await planPlacement(file.path, placing);
    const { layers, ...plan } = parsePlan(JSON.stringify(json), "plan");
    expect(plan.promptBatch).toBeGreaterThan(200);
    const streamed = await answerOf({ ...placing, device: "hybrid" });
    expect(streamed.gpu?.bytes).toBe(plan.gpuBytes);
    const cold = layers
      .filter(({ attentionDevice }) => attentionDevice === "gpu0")
      .flatMap(({ parts }) => parts.filter(({ device }) => device === "cpu"))
      .reduce((sum, { units }) => sum + units.length, 0);
    expect(streamed.gpu?.bytesStreamed).toBe(cold * 3 * rowLayout("F16", 256).gpuBytes);
    expect(streamed.tokens).toEqual((await answerOf({ ...options, device: "cpu" })).tokens);
  });
});

/** A model half of whose neurons are hot, and the devices through which its prompts stream row by row. */
async function inSmallWindows() {
  const model = await tinyModel(predictors);
  const gpu = await createWebGpuBackend({ adapter: 0, windowBytes: 1 });
  const backend = createHybridBackend({
    gpu,
    cpu: createCpuBackend({ threads: 1 }),
    placement: placementOf(model, [hot(0.5)]),
    promptPath: { path: "stream", fromRows: 2 },
  });
  return { gpu, backend, program: buildProgram(model, size).program };
}

describe.skipIf(obstacle !== undefined)(`a prompt that streams${skipped}`, () => {
  it.each(isMost ? cases : sample)(
    "has the tokens of one that does not: %s",
    async (_, changes, choice) => {
      const model = await tinyModel(changes);
      const placement = placementOf(model, [choice]);
      const alone = await answer(model, placement, { streams: false });
      expect(alone.bytesStreamed).toBe(0);
      for (const windowBytes of isMost ? [1, 3000, undefined] : [3000]) {
        const options = { streams: true, ...(windowBytes !== undefined && { windowBytes }) };
        const streamed = await answer(model, placement, options);
        expect(streamed.tokens).toEqual(alone.tokens);
        expect(streamed.bytesStreamed).toBeGreaterThan(0);
      }
    },
  );

  it("brings each cold row once, and takes the bytes that were planned", async () => {
    const model = await tinyModel(predictors);
    const placement = placementOf(model, [told(0.5)]);
    const { tokens: _, ...counted } = await answer(model, placement, { streams: true });
    const { layers, hyperparameters } = model;
    const rowBytes = rowLayout("F16", hyperparameters.dim).gpuBytes;
    const cold = placement.layers.map(
      ({ parts }) => parts.find(({ device }) => device === "cpu")?.units.length ?? 0,
    );
    // Gate, up and down of a neuron, and its id, which is small and written anew with each prompt.
    const expected = cold.reduce((sum, units) => sum + units * (3 * rowBytes + 4), 0);
    expect(layers.length).toBeGreaterThan(1);
    expect(counted.bytesStreamed).toBe(expected);
    const { program } = buildProgram(model, size);
    const partition = partitionProgram(program, placement, { streamPath: true });
    using webgpu = await createWebGpuBackend({ adapter: 0 });
    const planned = webgpu.estimate(partition.programs.get("gpu0")!);
    expect(counted.gpuBytes).toBe(planned);
    const without = partitionProgram(program, placement).programs.get("gpu0")!;
    expect(planned).toBeGreaterThan(webgpu.estimate(without));
    // No window holds more than a piece.
    using narrow = await createWebGpuBackend({ adapter: 0, windowBytes: 32 * rowBytes });
    expect(narrow.estimate(partition.programs.get("gpu0")!)).toBeLessThan(planned);
  });

  it("ends with one error when the device is lost half way", async () => {
    const { gpu, backend: made, program } = await inSmallWindows();
    using backend = made;
    using executable = await backend.compile(program);
    const step = promptStep();
    const running = executable.run(0, step);
    setImmediate(() => gpu.loseDevice());
    await expect(running).rejects.toThrow(DeviceError);
    await expect(executable.run(0, step)).rejects.toThrow(DeviceError);
  });

  it.runIf(isMost)("ends when it is closed half way", async () => {
    const { backend: made, program } = await inSmallWindows();
    using backend = made;
    const executable = await backend.compile(program);
    const running = executable.run(0, promptStep());
    setImmediate(() => executable[Symbol.dispose]());
    await expect(running).rejects.toThrow(DeviceError);
  });
});
