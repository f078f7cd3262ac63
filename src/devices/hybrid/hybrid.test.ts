/** Hybrid steps against one device, with any two backends in the roles of GPU and CPU. */
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../test/fixtures/close-logits.ts";
import { statsOf } from "../../../test/fixtures/hybrid-stats.ts";
import { hot, type LayerChoice, onCpu, placementOf } from "../../../test/fixtures/placements.ts";
import { tinyModels } from "../../../test/fixtures/tiny-models.ts";
import { loadAddon } from "../../backends/addon.ts";
import type { Backend } from "../../backends/backend.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { ForwardingExecutable } from "../../backends/forwarding-executable.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { buildProgram, type ProgramOptions } from "../../model/build-program.ts";
import type { Model } from "../../model/model.ts";
import type { FfnBlock, SparsityMethod } from "../../ops/op.ts";
import { createStep, type Step } from "../../ops/program.ts";
import { createHybridBackend } from "./backend.ts";
import { partitionProgram } from "./partition.ts";

const tinyModel = tinyModels();

const programOptions: ProgramOptions = {
  contextLength: 32,
  sequences: 2,
  maxRows: 8,
  maxOutputs: 2,
  kvType: "f32",
  output: "logits",
};

/** Logits of a prompt of two sequences and of `decoded` greedy steps of both, one array for each step. */
async function logitsOf(
  backend: Backend,
  model: Model,
  options: Partial<ProgramOptions> = {},
  decoded = 4,
): Promise<{ readonly logits: readonly Float32Array[]; readonly active: readonly number[] }> {
  const { program, slots } = buildProgram(model, { ...programOptions, ...options });
  const executable = await backend.compile(program);
  const step = createStep(program.maxRows, program.maxOutputs);
  const logits: Float32Array[] = [];
  const run = async (
    rows: readonly (readonly [number, number, number])[],
    outputs: number[],
    answers: number,
  ) => {
    rows.forEach(([sequence, position, token], row) => {
      step.sequence[row] = sequence;
      step.position[row] = position;
      step.token[row] = token;
    });
    step.rowCount = rows.length;
    step.answerRows = answers;
    step.outputRow.set(outputs);
    step.outputCount = outputs.length;
    await executable.run(0, step);
    logits.push(executable.output(slots.logits!).slice());
  };
  const prompt = [5, 17, 2, 9].flatMap((token, position) => [[0, position, token] as const]);
  await run([...prompt, [1, 0, 30], [1, 1, 31]], [3, 5], 0);
  for (let i = 0; i < decoded; i++) {
    const [first, second] = best(logits.at(-1)!, model.vocabulary);
    await run(
      [
        [0, 4 + i, first!],
        [1, 2 + i, second!],
      ],
      [0, 1],
      2,
    );
  }
  const active = executable.ffnCounts().map((count) => count.active);
  executable[Symbol.dispose]();
  return { logits, active };
}

function best(logits: Float32Array, vocabulary: number): readonly number[] {
  return Array.from({ length: logits.length / vocabulary }, (_, row) => {
    const own = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
    return own.indexOf(Math.max(...own));
  });
}

const placements: Readonly<Record<string, readonly LayerChoice[]>> = {
  "nothing hot": [hot(0)],
  "a third hot": [hot(1 / 3)],
  "all hot": [hot(1)],
  "the first layer on the CPU": [onCpu, hot(0.5)],
  "all layers on the CPU": [onCpu],
  "split, then whole": [hot(0.7), hot(1)],
};
/** For blocks that are not split. */
const whole = ["nothing hot", "all hot", "all layers on the CPU"];

const predictors = ["--powerinfer", "--predictor-rank", "16", "--dim", "128"];
const models: Readonly<Record<string, readonly string[]>> = {
  llama: ["--arch", "llama"],
  "llama with predictors": predictors,
  arcee: ["--arch", "arcee"],
  opt: ["--arch", "opt"],
  falcon: ["--arch", "falcon"],
  "falcon with predictors": ["--arch", "falcon", ...predictors],
  nemotron: ["--arch", "nemotron"],
  qwen2: ["--arch", "qwen2"],
  qwen3: ["--arch", "qwen3"],
  granite: ["--arch", "granite"],
  olmo2: ["--arch", "olmo2"],
  qwen35: ["--arch", "qwen35", "--full-attention-interval", "2"],
  gemma2: ["--arch", "gemma2"],
  // The last two layers read keys and values of the first two.
  gemma4: ["--arch", "gemma4", "--layers", "4"],
  cohere2: ["--arch", "cohere2"],
  "olmo2 with windows": ["--arch", "olmo2", "--window", "8", "--window-pattern", "2"],
  "bitnet-b1.58": ["--arch", "bitnet-b1.58"],
  "llama with ReLU": ["--arch", "llama", "--activation", "relu"],
};

describe.each(Object.entries(models))("%s on two devices", (_, changes) => {
  const names = changes.includes("bitnet-b1.58") ? whole : Object.keys(placements);
  it.each(names)("answers as on one: %s", async (name) => {
    const model = await tinyModel(...changes);
    const alone = await logitsOf(createReferenceBackend(), model);
    for (const output of ["gpu", "cpu"] as const) {
      const placement = placementOf(model, placements[name]!, output);
      const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
      const both = await logitsOf(createHybridBackend({ gpu, cpu, placement }), model);
      expectClose(both.logits, alone.logits);
      expect(both.active).toEqual(alone.active);
    }
  });
});

const methods: Readonly<Record<string, (block: FfnBlock) => SparsityMethod>> = {
  gate: () => ({ kind: "gate" }),
  sign: ({ neurons, dim }) => ({
    kind: "sign",
    signs: new Uint8Array(neurons * Math.ceil(dim / 64) * 8).fill(0b01100101),
    margin: 0,
  }),
  "threshold-output": ({ neurons }) => ({
    kind: "threshold-output",
    value: 1e-3,
    downNorms: new Float32Array(neurons).fill(1),
  }),
};

describe.each(Object.entries(methods))("the method %s on two devices", (_, method) => {
  it("keeps the active set of one", async () => {
    const model = await tinyModel("--activation", "relu");
    const options = { methodFor: (_layer: number, block: FfnBlock) => method(block) };
    const alone = await logitsOf(createReferenceBackend(), model, options);
    const placement = placementOf(model, [hot(0.4)]);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    const both = await logitsOf(createHybridBackend({ gpu, cpu, placement }), model, options);
    expectClose(both.logits, alone.logits);
    expect(both.active).toEqual(alone.active);
  });
});

describe("a last layer that computes rows with an output only", () => {
  it.each(["llama", "falcon"])("can be split in %s", async (architecture) => {
    const model = await tinyModel("--arch", architecture);
    const options = { lastLayer: "output rows" } as const;
    const alone = await logitsOf(createReferenceBackend(), model, options);
    const placement = placementOf(model, [hot(0.4)]);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    const both = await logitsOf(createHybridBackend({ gpu, cpu, placement }), model, options);
    expectClose(both.logits, alone.logits);
  });
});

const addon = loadAddon();
const withoutAddon = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";

describe.skipIf(addon.kind === "missing")(`native CPU and reference${withoutAddon}`, () => {
  it.each(["llama", "falcon", "opt"])("share the neurons of %s", async (architecture) => {
    const model = await tinyModel("--arch", architecture);
    const alone = await logitsOf(createReferenceBackend(), model);
    for (const choices of [[hot(0.6)], [onCpu, hot(0.25)]]) {
      const placement = placementOf(model, choices);
      const devices = { gpu: createReferenceBackend(), cpu: createCpuBackend({ threads: 1 }) };
      using hybrid = createHybridBackend({ ...devices, placement });
      expectClose((await logitsOf(hybrid, model)).logits, alone.logits);
    }
  });
});

describe("a prompt on the CPU path", () => {
  const onPath = { promptPath: { path: "cpu", fromRows: 3 } } as const;

  it.each(["llama", "falcon", "opt", "nemotron"])("answers as on one device: %s", async (arch) => {
    const model = await tinyModel("--arch", arch);
    const alone = await logitsOf(createReferenceBackend(), model);
    const placement = placementOf(model, [hot(0.6), hot(1)]);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    using hybrid = createHybridBackend({ gpu, cpu, placement, ...onPath });
    const both = await logitsOf(hybrid, model);
    expectClose(both.logits, alone.logits);
    expect(both.active).toEqual(alone.active);
  });

  it("leaves the card's neurons to the CPU in prompts, and only there", async () => {
    const model = await tinyModel();
    const placement = placementOf(model, [hot(0.5)]);
    const { program } = buildProgram(model, programOptions);
    const { actions, programs } = partitionProgram(program, placement, { cpuPath: true });
    expect(programs.get("gpu0")).toEqual(partitionProgram(program, placement).programs.get("gpu0"));
    const runs = actions[0]!.filter((action) => action.kind === "run");
    const labels = (path: "split" | "cpu"): readonly string[] =>
      runs.filter(({ paths }) => paths?.join() === path).map(({ label }) => label);
    expect(labels("split")).toEqual(["hot ffn 0", "cold ffn 0", "hot ffn 1", "cold ffn 1"]);
    expect(labels("cpu")).toEqual(["ffn 0", "ffn 1"]);
    const [one, other] = [createReferenceBackend(), createReferenceBackend()];
    const devices = { gpu: one, cpu: other, placement };
    using backend = createHybridBackend({ ...devices, ...onPath });
    using executable = await backend.compile(program);
    const step = createStep(program.maxRows, program.maxOutputs);
    step.rowCount = 3;
    step.position.set([0, 1, 2]);
    await executable.run(0, step);
    expect(await statsOf(executable)).toMatchObject({ promptPath: "cpu", gpuActivationShare: 0 });
    step.rowCount = step.answerRows = step.outputCount = 1;
    step.position[0] = 3;
    await executable.run(0, step);
    // Of three rows on the CPU and one on both.
    expect((await statsOf(executable)).gpuActivationShare).toBeCloseTo(0.5 / 4, 9);
  });
});

describe("a hybrid step", () => {
  it("waits for the CPU once in each split layer and never elsewhere", async () => {
    const model = await tinyModel("--layers", "4");
    const { program } = buildProgram(model, programOptions);
    const crossings = (choices: readonly LayerChoice[]): readonly string[] => {
      const { actions } = partitionProgram(program, placementOf(model, choices));
      return actions[0]!.filter((action) => action.kind === "transfer").map(({ from }) => from);
    };
    expect(crossings([hot(1)])).toEqual(["cpu"]);
    expect(crossings([onCpu, onCpu, hot(1)])).toEqual(["cpu"]);
    expect(crossings([hot(1), hot(0.5), hot(1)])).toEqual(["cpu", "gpu0", "cpu"]);
    expect(crossings([onCpu, hot(0.5), hot(0)])).toEqual([
      "cpu",
      ...["gpu0", "cpu"],
      ...["gpu0", "cpu"],
      ...["gpu0", "cpu"],
    ]);
  });

  it("leaves each device only the layers, slots and neurons that are its own", async () => {
    const model = await tinyModel("--layers", "4");
    const { program } = buildProgram(model, programOptions);
    const { programs } = partitionProgram(program, placementOf(model, [onCpu, hot(0.25)]));
    const [gpu, cpu] = [programs.get("gpu0"), programs.get("cpu")];
    expect([gpu!.kv.layers.length, cpu!.kv.layers.length]).toEqual([3, 1]);
    expect(gpu!.slots.map(({ name }) => name)).toContain("logits");
    expect(cpu!.slots.map(({ name }) => name)).not.toContain("logits");
    const subsets = [gpu!, cpu!].map(({ segments }) =>
      segments.flatMap(({ ops }) =>
        ops.flatMap((op) => (op.kind === "ffn" ? [op.block.subset?.length] : [])),
      ),
    );
    expect(subsets).toEqual([
      [16, 16, 16],
      [undefined, 48, 48, 48],
    ]);
  });

  it("merges once for all rows of a batch, and waits once", async () => {
    const model = await tinyModel();
    const { program } = buildProgram(model, programOptions);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    const placement = placementOf(model, [hot(0.5)]);
    using backend = createHybridBackend({ gpu, cpu, placement, timeline: true });
    using executable = await backend.compile(program);
    const step = createStep(program.maxRows, program.maxOutputs);
    step.rowCount = step.answerRows = step.outputCount = 2;
    step.sequence.set([0, 1]);
    step.token.set([5, 9]);
    step.outputRow.set([0, 1]);
    await executable.run(0, step);
    const names = (await executable.report()).timeline.map(({ name }) => name);
    for (const layer of model.layers.keys()) {
      for (const part of ["hot ffn", "cold ffn", "merge"]) {
        expect(names.filter((name) => name === `${part} ${layer}`)).toHaveLength(1);
      }
    }
    expect(names.filter((name) => name === "gpu → cpu")).toHaveLength(model.layers.length);
    // Two rows are two tokens.
    expect((await statsOf(executable)).synchronisationsPerToken).toBe(model.layers.length / 2);
  });

  it("adds the bias of a split block once", async () => {
    const model = await tinyModel("--arch", "opt");
    const { program } = buildProgram(model, programOptions);
    const { programs } = partitionProgram(program, placementOf(model, [hot(0.5)]));
    const biases = [programs.get("gpu0")!, programs.get("cpu")!].map(
      ({ segments }) =>
        segments.flatMap(({ ops }) => ops).filter((op) => op.kind === "ffn" && op.block.downBias)
          .length,
    );
    expect(biases).toEqual([2, 0]);
  });

  it("reads its rows before run returns and keeps steps in order", async () => {
    const model = await tinyModel();
    const placement = placementOf(model, [hot(0.5)]);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    const { program, slots } = buildProgram(model, programOptions);
    const executable = await createHybridBackend({ gpu, cpu, placement }).compile(program);
    const step = createStep(program.maxRows, program.maxOutputs);
    const runs: Promise<void>[] = [];
    step.outputCount = 1;
    step.answerRows = 1;
    for (let position = 0; position < 3; position++) {
      step.rowCount = 1;
      step.position[0] = position;
      step.token[0] = 7 + position;
      runs.push(executable.run(0, step));
      step.rowCount = 0;
      step.token[0] = 0;
    }
    await Promise.all(runs);
    const alone = await createReferenceBackend().compile(program);
    for (let position = 0; position < 3; position++) {
      step.rowCount = 1;
      step.position[0] = position;
      step.token[0] = 7 + position;
      await alone.run(0, step);
    }
    expectClose([executable.output(slots.logits!)], [alone.output(slots.logits!)]);
    const stats = await statsOf(executable);
    expect(stats.synchronisationsPerToken).toBe(model.layers.length);
    expect(stats.gpuActivationShare).toBeCloseTo(0.5, 9);
    expect(stats.cpuMillisecondsPerToken).toBeGreaterThan(0);
  });

  it("waits for a segment's outputs, not for the segment submitted behind it", async () => {
    const model = await tinyModel("--arch", "falcon");
    const alone = await logitsOf(createReferenceBackend(), model);
    const placement = placementOf(model, [hot(0.5)]);
    // As on a GPU: a run without outputs is done when it is submitted, and outputs take their time.
    const reference = createReferenceBackend();
    const eager: Backend = {
      ...reference,
      compile: async (program) => {
        class Eager extends ForwardingExecutable {
          override async run(segment: number, step: Step): Promise<void> {
            const done = super.run(segment, step);
            if (program.segments[segment]!.outputs.length === 0) return;
            await done;
            await new Promise((resolve) => setTimeout(resolve, 3));
          }
        }
        return new Eager(await reference.compile(program));
      },
    };
    const hybrid = createHybridBackend({ gpu: eager, cpu: createReferenceBackend(), placement });
    expectClose((await logitsOf(hybrid, model)).logits, alone.logits);
  });

  it("fails as a whole when a device fails, and only once", async () => {
    const model = await tinyModel();
    const placement = placementOf(model, [hot(0.5)]);
    const reference = createReferenceBackend();
    class Failing extends ForwardingExecutable {
      override run(): Promise<void> {
        return Promise.reject(new Error("the card fell out"));
      }
    }
    const failing: Backend = {
      ...reference,
      compile: async (program) => new Failing(await reference.compile(program)),
    };
    const backend = createHybridBackend({ gpu: failing, cpu: createReferenceBackend(), placement });
    await expect(logitsOf(backend, model)).rejects.toThrow("the card fell out");
  });

  it("refuses a placement of another model", async () => {
    const model = await tinyModel();
    const other = await tinyModel("--ffn", "128");
    const { program } = buildProgram(model, programOptions);
    expect(() => partitionProgram(program, placementOf(other, [hot(0.5)]))).toThrow(
      "64 neurons in layer 0 of the placement",
    );
  });
});
