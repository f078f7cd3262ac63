/** What the CPU backend promises beside right numbers: the same bits for any threads, safe closing, a free event loop. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it, vi } from "vitest";
import { OptionError, ShapeError, UnsupportedError } from "../../core/errors.ts";
import { createRandom } from "../../core/random.ts";
import type { Weight } from "../../ops/op.ts";
import type { Program, Step } from "../../ops/program.ts";
import { loadAddon } from "../addon.ts";
import type { Executable } from "../backend.ts";
import { conformanceCases, conformanceSample } from "../conformance/all-cases.ts";
import { outputsOf } from "../conformance/outputs-of.ts";
import {
  createProgramBuilder,
  memoryWeight,
  sameLayers,
  stepOf,
} from "../conformance/program-builder.ts";
import { createCpuBackend } from "./cpu-backend.ts";

/** One test takes every case on every instruction set. */
vi.setConfig({ testTimeout: 300_000 });

const loaded = loadAddon();
const reason = loaded.kind === "missing" ? ` (skipped: ${loaded.reason})` : "";

const sets = loaded.kind === "loaded" ? loaded.addon.machine().kernels.split(" ") : [];

/** logits = table · x of 64 MB: some milliseconds a step, on any machine. */
function slowProgram({ repeats = 1 } = {}): { readonly program: Program; readonly step: Step } {
  const columns = 1024;
  const rows = 16384;
  const data = new Uint8Array(rows * columns * 4);
  const weight: Weight = { name: "w", type: "F32", rows, columns, bytes: { kind: "memory", data } };
  const builder = createProgramBuilder();
  const x = builder.slot("x", columns);
  const y = builder.slot("y", rows);
  const matmul = { kind: "matmul", x, out: y, into: "assign", weight } as const;
  builder.segment(new Array(repeats).fill(matmul), [y]);
  const program = builder.build({ maxRows: 1 });
  return { program, step: stepOf(program, [{}]) };
}

/** Two norms and a matmul, small. */
function smallProgram(): Program {
  const random = createRandom(7);
  const values = new Float32Array(64 * 32).map(() => random.normal());
  const builder = createProgramBuilder();
  const x = builder.slot("x", 32);
  const y = builder.slot("y", 64);
  const weight = memoryWeight("w", "F16", [64, 32], values);
  builder.segment([{ kind: "matmul", x, out: y, into: "assign", weight }], [y]);
  return builder.build({ maxRows: 4 });
}

function collectGarbage(): void {
  if (globalThis.gc !== undefined) globalThis.gc();
}

describe.skipIf(loaded.kind === "missing")(`the CPU backend${reason}`, () => {
  const isMost = /^(all|most)$/.test(process.env["HEARTH_CONFORMANCE"] ?? "");
  const cases = isMost ? conformanceCases() : conformanceSample();
  for (const isa of sets) {
    it(`gives the same bits with one, two and three ${isa} threads, in ${cases.length} conformance cases`, async () => {
      using one = createCpuBackend({ isa, threads: 1 });
      using two = createCpuBackend({ isa, threads: 2 });
      using three = createCpuBackend({ isa, threads: 3 });
      let compared = 0;
      for (const candidate of cases) {
        const script = candidate.build();
        const expected = await outputsOf(one, script);
        for (const backend of [two, three]) {
          const found = await outputsOf(backend, script);
          const isSame = found.every((bytes, i) => Buffer.compare(bytes, expected[i]!) === 0);
          expect(isSame, `${candidate.name}, ${backend.threads} threads`).toBe(true);
        }
        compared += expected.length;
      }
      expect(compared).toBeGreaterThan(100);
    });
  }

  it("runs two backends at once without mixing their results", async () => {
    using first = createCpuBackend({ threads: 2 });
    using second = createCpuBackend({ threads: 2 });
    const program = smallProgram();
    const [x, y] = [program.slots[0]!, program.slots[1]!];
    using a = await first.compile(program);
    using b = await second.compile(program);
    const step = stepOf(program, [{}]);
    const runWith = async (executable: Executable, value: number): Promise<number[]> => {
      executable.write(x, new Float32Array(32).fill(value));
      await executable.run(0, step);
      return [...executable.output(y)];
    };
    const expected = await runWith(a, 1);
    for (let round = 0; round < 200; round++) {
      const [one, two] = await Promise.all([runWith(a, 1), runWith(b, 2)]);
      expect(one).toEqual(expected);
      expect(two).toEqual(expected.map((value) => 2 * value));
    }
  });

  it("keeps the event loop free while a run goes on", async () => {
    using backend = createCpuBackend({ threads: 2 });
    const { program, step } = slowProgram({ repeats: 20 });
    using executable = await backend.compile(program);
    let isRunning = true;
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += isRunning ? 1 : 0;
    }, 1);
    const started = performance.now();
    for (let round = 0; round < 5; round++) await executable.run(0, step);
    const duration = performance.now() - started;
    isRunning = false;
    clearInterval(timer);
    // 1.3 GB a run take 25 ms at 50 GB/s; a run on this thread would let no timer fire within it.
    expect(ticks).toBeGreaterThan(Math.min(10, duration / 20));
  });

  it("finishes the runs under way when it is disposed", async () => {
    const backend = createCpuBackend({ threads: 2 });
    const { program, step } = slowProgram({ repeats: 5 });
    const executable = await backend.compile(program);
    const runs = [executable.run(0, step), executable.run(0, step)];
    executable[Symbol.dispose]();
    backend[Symbol.dispose]();
    await expect(Promise.all(runs)).resolves.toBeDefined();
    await expect(executable.run(0, step)).rejects.toThrow("disposed");
  });

  it("gives its memory back over 200 openings and closings", async () => {
    const program = { ...smallProgram(), maxRows: 4096 };
    const cycle = async (): Promise<void> => {
      using backend = createCpuBackend({ threads: 2 });
      using executable = await backend.compile({
        ...program,
        kv: sameLayers({
          layers: 4,
          kvHeads: 4,
          headDim: 64,
          contextLength: 1024,
          sequences: 1,
          type: "f16",
        }),
      });
      executable.write(program.slots[0]!, new Float32Array(32 * 4096).fill(1));
      await executable.run(0, stepOf(program, new Array(4096).fill({})));
    };
    for (let warmUp = 0; warmUp < 20; warmUp++) await cycle();
    collectGarbage();
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 200; round++) await cycle();
    collectGarbage();
    // A cycle touches 1.5 MB: a leak would be 300 MB. The slack is for the garbage of JavaScript itself.
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  it("lets a worker thread end while it computes", async () => {
    const path = new URL("./cpu-backend.ts", import.meta.url);
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(
        `const { createRequire } = require("node:module");
         const addon = createRequire(${JSON.stringify(path.href)})("../../../build/hearth.node");
         const pool = addon.createPool(2, undefined, 0);
         addon.measureRead(pool.handle, 1 << 28).then(() => {});
         require("node:worker_threads").parentPort.postMessage("started");`,
        { eval: true },
      );
      await new Promise((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
      });
      await worker.terminate();
    }
  });

  it("reads weights from a mapped file, and says when it is too short", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hearth-cpu-"));
    try {
      const path = join(folder, "weights.bin");
      writeFileSync(path, new Uint8Array(Float32Array.from({ length: 8 }, (_, i) => i).buffer));
      const weightAt = (offset: number): Weight => ({
        name: "w",
        type: "F32",
        rows: 2,
        columns: 2,
        bytes: { kind: "file", path, offset, bytes: 16 },
      });
      const programWith = (weight: Weight): Program => {
        const builder = createProgramBuilder();
        const x = builder.slot("x", 2);
        const y = builder.slot("y", 2);
        builder.segment([{ kind: "matmul", x, out: y, into: "assign", weight }], [y]);
        return builder.build({ maxRows: 1 });
      };
      using backend = createCpuBackend({ threads: 1 });
      const program = programWith(weightAt(16));
      using executable = await backend.compile(program);
      executable.write(program.slots[0]!, Float32Array.of(1, 10));
      await executable.run(0, stepOf(program, [{}]));
      expect([...executable.output(program.slots[1]!)]).toEqual([54, 76]);
      expect(executable.memory.mappedWeights).toBe(16);
      await expect(backend.compile(programWith(weightAt(20)))).rejects.toThrow(ShapeError);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("transposes a weight into another type, whatever the edges", async () => {
    using backend = createCpuBackend({ threads: 2 });
    const [rows, columns] = [96, 300];
    const values = Float32Array.from({ length: rows * columns }, (_, i) => (i % 251) - 125);
    const weight = memoryWeight("down", "F16", [rows, columns], values);
    const transposed = await backend.transpose(weight, "F32");
    expect([transposed.rows, transposed.columns]).toEqual([columns, rows]);
    if (transposed.bytes.kind !== "memory") throw new Error("made in memory");
    const { buffer, byteOffset } = transposed.bytes.data;
    const found = new Float32Array(buffer, byteOffset, rows * columns);
    const expected = found.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
    expect(found).toEqual(expected);
    const odd = memoryWeight("odd", "F32", [3, 2], new Float32Array(6));
    await expect(backend.transpose(odd, "Q8_0")).rejects.toThrow(ShapeError);
  });

  it("refuses an instruction set it does not have and a senseless number of threads", () => {
    expect(() => createCpuBackend({ isa: "mmx" })).toThrow(UnsupportedError);
    expect(() => createCpuBackend({ threads: 0 })).toThrow(OptionError);
    expect(() => createCpuBackend({ threads: 1.5 })).toThrow(OptionError);
  });
});
