/** A block on the GPU whose neurons are replaced computes what one that was made with them computes. */
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Executable } from "../../src/backends/backend.ts";
import { createReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { createWebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { openGguf } from "../../src/gguf/open.ts";
import { buildProgram, type ModelProgram } from "../../src/model/build-program.ts";
import { openModel } from "../../src/model/model.ts";
import type { FfnBlock, Op, SparsityMethod } from "../../src/ops/op.ts";
import { createStep } from "../../src/ops/program.ts";
import { makeTinyModel, type TinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const adapters = await listAdapters().catch(() => []);
const skipped = adapters.length === 0 ? " (skipped: no GPU driver)" : "";
const files: TinyModel[] = [];
afterAll(() => {
  for (const file of files) file[Symbol.dispose]();
});

const even = Uint32Array.from({ length: 32 }, (_, i) => 2 * i);
const change = { layer: 0, from: even.slice(0, 24), to: even.map((id) => 63 - id).slice(0, 24) };

/** One layer that computes every other neuron of its block. */
async function programOf(
  changes: readonly string[],
  methodFor: (layer: number, block: FfnBlock) => SparsityMethod,
): Promise<ModelProgram> {
  const file = await makeTinyModel(["--layers", "1", ...changes]);
  files.push(file);
  const shape = {
    contextLength: 8,
    sequences: 1,
    maxRows: 1,
    maxOutputs: 1,
    kvType: "f32",
  } as const;
  const built = buildProgram(openModel(openGguf(file.path)), {
    ...shape,
    output: "logits",
    methodFor,
  });
  const half = (op: Op): Op =>
    op.kind === "ffn" ? { ...op, block: { ...op.block, subset: even.slice() } } : op;
  const segments = built.program.segments.map((segment) => ({
    ...segment,
    ops: segment.ops.map(half),
  }));
  return { ...built, program: { ...built.program, segments } };
}

/** Runs a token and reads its logits. */
function runnerOf(executable: Executable, built: ModelProgram): () => Promise<readonly number[]> {
  const step = createStep(1, 1);
  step.rowCount = step.answerRows = step.outputCount = 1;
  step.token[0] = 17;
  const { logits } = built.slots;
  const read = built.program.segments.findIndex(({ outputs }) => outputs.includes(logits!));
  return async () => {
    const runs = [executable.run(0, step)];
    if (read > 0) runs.push(executable.run(read, step));
    await Promise.all(runs);
    return [...executable.output(logits!)];
  };
}

/** Logits of a token before its neurons are replaced, and after. */
async function logitsOf(
  executable: Executable,
  built: ModelProgram,
): Promise<readonly (readonly number[])[]> {
  const run = runnerOf(executable, built);
  const before = await run();
  await executable.replaceNeurons(change);
  return [before, await run()];
}

type Case = readonly [
  string,
  readonly string[],
  (layer: number, block: FfnBlock) => SparsityMethod,
];

const cases: readonly [Case, Case] = [
  [
    "norms of down rows",
    [],
    (_, { neurons }) => ({
      kind: "threshold-output",
      value: 1e-3,
      downNorms: Float32Array.from({ length: neurons }, (_value, neuron) => 0.5 + neuron / neurons),
    }),
  ],
  [
    "gate, up and signs",
    ["--activation", "relu"],
    (_, { neurons, dim }) => ({
      kind: "sign",
      signs: Uint8Array.from({ length: neurons * Math.ceil(dim / 64) * 8 }, (_value, i) =>
        i % 8 < dim / 8 ? (i * 37) % 256 : 0,
      ),
      margin: 0,
    }),
  ],
];

describe.skipIf(adapters.length === 0)(`neurons on the GPU${skipped}`, () => {
  it.each(cases)("are replaced with all that belongs to them: %s", async (_, changes, method) => {
    const [expectedBefore, expectedAfter] = await onReference(changes, method);
    const built = await programOf(changes, method);
    using backend = await createWebGpuBackend({ adapter: 0 });
    using executable = await backend.compile(built.program);
    const { memory } = executable;
    const [before, after] = await logitsOf(executable, built);
    expectClose(before!, expectedBefore!);
    expectClose(after!, expectedAfter!);
    expect(after).not.toEqual(before);
    expect(executable.memory).toEqual(memory);
  });

  it("are replaced before a run that is asked for at once, and behind calls that wait", async () => {
    const built = await programOf([], cases[0][2]);
    using backend = await createWebGpuBackend({ adapter: 0 });
    using executable = await backend.compile(built.program);
    const run = runnerOf(executable, built);
    const before = await run();
    const replaced = executable.replaceNeurons(change);
    const after = await run();
    await replaced;
    expect(after).not.toEqual(before);
    // Its kernels are compiled with the first call: it waits, and whatever is asked for behind it.
    const copied = executable.copySequence(0, 0, 1);
    const held = run();
    const restored = executable.replaceNeurons({ layer: 0, from: change.to, to: change.from });
    const last = run();
    await Promise.all([copied, restored, held]);
    expect(await last).toEqual(before);
  });
});

async function onReference(
  changes: readonly string[],
  method: (layer: number, block: FfnBlock) => SparsityMethod,
): Promise<readonly (readonly number[])[]> {
  const built = await programOf(changes, method);
  using executable = await createReferenceBackend().compile(built.program);
  return await logitsOf(executable, built);
}

/** Sums of some dozens of f32 terms, in another order. */
function expectClose(found: readonly number[], expected: readonly number[]): void {
  const largest = Math.max(...expected.map(Math.abs));
  found.forEach((value, at) => {
    expect(Math.abs(value - expected[at]!)).toBeLessThanOrEqual(1e-4 * largest);
  });
}
