/** The GPU backend beyond the ops: exact bytes, budgets, loss of the device, counts, leaks. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DeviceError, LimitError } from "../../core/errors.ts";
import { createRandom } from "../../core/random.ts";
import { MiB } from "../../core/units.ts";
import type { Program } from "../../ops/program.ts";
import { createProgramBuilder, memoryWeight, stepOf } from "../conformance/program-builder.ts";
import { listAdapters } from "./adapter.ts";
import type { GpuExecutable } from "./executable.ts";
import { createWebGpuBackend, type WebGpuBackend } from "./webgpu-backend.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const hasAdapter = (await listAdapters()).length > 0;

const width = 96;

/** y = W x, then its best element: [rows, 1]. */
function program(): { program: Program; weightBytes: number } {
  const random = createRandom(7);
  const builder = createProgramBuilder();
  const x = builder.slot("x", width);
  const y = builder.slot("y", 200);
  const best = builder.slot("best", 1);
  const values = Float32Array.from({ length: 200 * width }, () => random.normal());
  const weight = memoryWeight("w", "F16", [200, width], values);
  builder.segment(
    [
      { kind: "matmul", x, out: y, into: "assign", weight },
      { kind: "argmax", x: y, out: best },
    ],
    [best],
  );
  return { program: builder.build({ maxRows: 4 }), weightBytes: 200 * width * 2 };
}

describe.skipIf(!hasAdapter)("webgpu (skipped without a driver)", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createWebGpuBackend({ adapter: 0 });
  });
  afterAll(() => backend[Symbol.dispose]());

  it("allocates exactly the bytes that it estimates", async () => {
    const made = program();
    using executable = await backend.compile(made.program);
    const { mappedWeights, copiedWeights, kvCache, scratch } = executable.memory;
    expect(mappedWeights).toBe(0);
    expect(copiedWeights).toBe(made.weightBytes);
    expect(copiedWeights + kvCache + scratch).toBe(backend.estimate(made.program));
  });

  it("refuses a program above the budget with the numbers, before anything is uploaded", async () => {
    const needed = backend.estimate(program().program);
    using small = await createWebGpuBackend({ adapter: 0, vramBudget: needed - 1 });
    let progress = 0;
    const compiled = small.compile(program().program, { onProgress: () => progress++ });
    await expect(compiled).rejects.toThrow(LimitError);
    await expect(compiled).rejects.toThrow(/weights 37\.5 KiB.*budget is/);
    expect(progress).toBe(0);
    using enough = await createWebGpuBackend({ adapter: 0, vramBudget: needed });
    using executable = await enough.compile(program().program);
    expect(executable.memory.copiedWeights).toBeGreaterThan(0);
  });

  it("reports the progress of the upload up to its total", async () => {
    const seen: number[] = [];
    let total = 0;
    const onProgress = (progress: { done: number; total: number }): void => {
      seen.push(progress.done);
      total = progress.total;
    };
    using executable = await backend.compile(program().program, { onProgress });
    expect(executable.memory.copiedWeights).toBeLessThanOrEqual(total);
    expect(seen.at(-1)).toBe(total);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it("reads back four bytes a token and makes no object but command buffers", async () => {
    const made = program();
    using executable = await backend.compile(made.program);
    executable.gpuCounts();
    const step = stepOf(made.program, [{}]);
    for (let token = 0; token < 5; token++) await executable.run(0, step);
    expect(executable.gpuCounts()).toEqual({
      runs: 5,
      submits: 5,
      dispatches: 10,
      bindGroups: 0,
      buffers: 0,
      // The rows of a step that is as the last one are there already.
      bytesUploaded: 32,
      bytesReadBack: 5 * 4,
      bytesStreamed: 0,
      pipelines: 0,
      pipelineMilliseconds: 0,
    });
  });

  it("compiles kernels of one row at load, others when a step first needs them, and keeps the order of calls", async () => {
    const made = program();
    const { slots } = made.program;
    const [x, best] = [slots[0]!, slots[2]!];
    using fresh = await createWebGpuBackend({ adapter: 0 });
    let announced = 0;
    const onCompile = (kernels: number): void => {
      announced += kernels;
    };
    using executable = await fresh.compile(made.program, { onCompile });
    expect([announced, executable.gpuCounts().pipelines]).toEqual([2, 2]);
    const rows = (seed: number): Float32Array =>
      Float32Array.from({ length: 4 * width }, (_, i) => Math.sin(seed + i));
    // Two kernels wait for their compiler; a write and a run behind them must not overtake.
    executable.write(x, rows(1));
    const first = executable.run(0, stepOf(made.program, [{}, {}, {}]));
    executable.write(x, rows(2));
    const second = executable.run(0, stepOf(made.program, [{}]));
    await first;
    await second;
    const [overlapped] = executable.output(best);
    expect(executable.gpuCounts().pipelines).toBe(1);
    executable.write(x, rows(2));
    await executable.run(0, stepOf(made.program, [{}]));
    expect(executable.output(best)[0]).toBe(overlapped);
    await executable.run(0, stepOf(made.program, [{}, {}, {}]));
    expect(executable.gpuCounts().pipelines).toBe(0);
    using again = await fresh.compile(made.program, { onCompile });
    expect([announced, again.gpuCounts().pipelines]).toEqual([2, 0]);
  });

  it("cuts a weight into pieces that can be bound, with the same result", async () => {
    const made = program();
    const data = Float32Array.from({ length: width }, (_, i) => Math.sin(i));
    const best = await bestOf(await backend.compile(made.program), made.program, data);
    using pieces = await createWebGpuBackend({ adapter: 0, maxBinding: 16 * 1024 });
    const executable = await pieces.compile(made.program);
    expect(await bestOf(executable, made.program, data)).toBe(best);
  });

  it("ends in one DeviceError when the device is lost in the middle", async () => {
    using lost = await createWebGpuBackend({ adapter: 0 });
    const made = program();
    using executable = await lost.compile(made.program);
    const step = stepOf(made.program, [{}]);
    await executable.run(0, step);
    const running = executable.run(0, step);
    lost.loseDevice();
    const outcomes = await Promise.allSettled([running, executable.run(0, step)]);
    const errors = outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason : 0));
    expect(errors[1]).toBeInstanceOf(DeviceError);
    expect(String(errors[1])).toMatch(/lost.*(device cpu)/);
    // The run before the loss may have got through; if not, it says the same.
    expect([0, errors[1]]).toContain(errors[0]);
    await expect(executable.run(0, step)).rejects.toBe(errors[1]);
    await expect(lost.compile(made.program)).rejects.toBe(errors[1]);
  });

  it("opens and closes 50 times without keeping memory", async () => {
    const cycle = async (): Promise<void> => {
      using opened = await createWebGpuBackend({ adapter: 0 });
      using executable = await opened.compile(program().program);
      await executable.run(0, stepOf(program().program, [{}]));
    };
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    const collected = async (): Promise<number> => {
      if (typeof collect === "function") collect();
      // Finalizers of Dawn's objects run a turn after the collection.
      await new Promise((resolve) => setTimeout(resolve, 20));
      return process.memoryUsage().rss;
    };
    // The driver's own pools fill up in the first ten.
    for (let i = 0; i < 10; i++) {
      await cycle();
      await collected();
    }
    const before = await collected();
    for (let i = 0; i < 40; i++) {
      await cycle();
      await collected();
    }
    const grownPerCycle = ((await collected()) - before) / 40;
    // A device that was kept cost 3 MiB a cycle here. Without hearth, Dawn on SwiftShader keeps 0.05 MiB for a device that
    // is opened and destroyed and 0.2 MiB for each pipeline like these; hearth's own opening and closing adds 0.01.
    expect(grownPerCycle).toBeLessThan(1.5 * MiB);
  });
});

async function bestOf(
  executable: GpuExecutable,
  { slots, segments }: Program,
  data: Float32Array,
): Promise<number | undefined> {
  using open = executable;
  open.write(slots[0]!, data);
  const step = stepOf({ slots, segments, maxRows: 4, maxOutputs: 4, kv: program().program.kv }, [
    {},
  ]);
  await open.run(0, step);
  return open.output(segments[0]!.outputs[0]!)[0];
}
