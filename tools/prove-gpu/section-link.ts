/** The way between processor and card: round trips, what a split layer costs, bytes per second each way. */
import type { Backend } from "../../src/backends/backend.ts";
import { createProgramBuilder, stepOf } from "../../src/backends/conformance/program-builder.ts";
import { createCpuBackend } from "../../src/backends/cpu/cpu-backend.ts";
import { median } from "../../src/core/numbers.ts";
import { MiB } from "../../src/core/units.ts";
import { type Context, openCard, type Report, type Section } from "./section.ts";
import { weightData, weightsOf } from "./weight-data.ts";

/** A hidden row of a 7B model. */
const hiddenWidth = 4096;
/** Microseconds that a split layer's round trip may take. */
const wantedRoundTrip = 60;

export const linkSection: Section = {
  name: "link",
  title: "Link: round trips, upload, download",
  deadline: { full: 30, short: 120 },
  run: async (context, report) => {
    using backend = await openCard(context);
    await measureRoundTrips(backend, { context, report });
    await measureCopies(backend, { context, report });
    await measureLoading(backend, { context, report });
  },
};

interface Asked {
  readonly context: Context;
  readonly report: Report;
}

/** x is 1, the processor adds 1 and the card adds both: wrong sums would show that a trip was not made. */
async function measureRoundTrips(backend: Backend, { context, report }: Asked): Promise<void> {
  const builder = createProgramBuilder();
  const x = builder.slot("x", hiddenWidth);
  const y = builder.slot("y", hiddenWidth);
  builder.segment([{ kind: "add", x: y, out: x }], [x]);
  builder.segment([], [y]);
  const program = builder.build({ maxRows: 1 });
  using cpuBackend = createCpuBackend();
  using gpu = await backend.compile(program);
  using cpu = await cpuBackend.compile(program);
  const step = stepOf(program, [{}]);
  const ones = new Float32Array(hiddenWidth).fill(1);
  const times = context.mode === "short" ? 50 : 1000;
  const empty = await trips(times, async () => gpu.run(1, step));
  report.measure({ name: "read-back alone, p50", unit: "µs", value: percentile(empty, 0.5) });
  report.measure({ name: "read-back alone, p99", unit: "µs", value: percentile(empty, 0.99) });
  gpu.write(x, ones);
  gpu.write(y, ones);
  cpu.write(x, ones);
  const split = await trips(times, async () => {
    await gpu.run(0, step);
    cpu.write(y, gpu.output(x));
    await cpu.run(0, step);
    gpu.write(x, ones);
    cpu.write(x, ones);
  });
  await gpu.run(0, step);
  report.check(
    "a round trip adds up",
    gpu.output(x).every((value) => value === 2),
    `${gpu.output(x)[0]}`,
  );
  const against = { kind: "at most", value: wantedRoundTrip } as const;
  report.measure({
    name: "split layer's round trip, p50",
    unit: "µs",
    value: percentile(split, 0.5),
    against,
  });
  report.measure({
    name: "split layer's round trip, p99",
    unit: "µs",
    value: percentile(split, 0.99),
  });
}

/** Microseconds of each, sorted. */
async function trips(times: number, once: () => Promise<void>): Promise<readonly number[]> {
  const taken: number[] = [];
  for (let i = 0; i < times + times / 10; i++) {
    const began = performance.now();
    await once();
    if (i >= times / 10) taken.push(1000 * (performance.now() - began));
  }
  return taken.sort((a, b) => a - b);
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

async function measureCopies(backend: Backend, { context, report }: Asked): Promise<void> {
  const width = context.mode === "short" ? MiB / 4 : 16 * MiB;
  const rounds = context.mode === "short" ? 3 : 9;
  const builder = createProgramBuilder();
  const large = builder.slot("large", width);
  const done = builder.slot("done", 1);
  builder.segment([], [large]);
  builder.segment([], [done]);
  const program = builder.build({ maxRows: 1 });
  using executable = await backend.compile(program);
  const step = stepOf(program, [{}]);
  const data = Float32Array.from({ length: width }, (_, i) => i % 1021);
  const up: number[] = [];
  const down: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const began = performance.now();
    executable.write(large, data);
    await executable.run(1, step);
    const sent = performance.now();
    await executable.run(0, step);
    if (round === 0) continue;
    up.push((4 * width) / (sent - began) / 1e6);
    down.push((4 * width) / (performance.now() - sent) / 1e6);
  }
  const found = executable.output(large);
  const wrong = data.findIndex((value, i) => found[i] !== value);
  report.check(
    "what was sent comes back",
    wrong < 0,
    wrong < 0 ? "equal" : `element ${wrong} is ${found[wrong]}`,
  );
  report.measure({ name: `upload of ${(4 * width) / MiB} MiB`, unit: "GB/s", value: median(up) });
  report.measure({
    name: `download of ${(4 * width) / MiB} MiB`,
    unit: "GB/s",
    value: median(down),
  });
}

/** Weights as a model's are loaded: packed into planes and sent. */
async function measureLoading(backend: Backend, { context, report }: Asked): Promise<void> {
  for (const type of ["F16", "Q4_0"] as const) {
    const [rows, count] = context.mode === "short" ? [64, 1] : [8192, 8];
    const shape = { type, rows, columns: hiddenWidth };
    const builder = createProgramBuilder();
    const x = builder.slot("x", hiddenWidth);
    const y = builder.slot("y", rows);
    const weights = weightsOf(shape, weightData(shape), { count, name: type });
    builder.segment(
      weights.map((weight) => ({ kind: "matmul", x, out: y, into: "assign", weight })),
      [y],
    );
    const program = builder.build({ maxRows: 1 });
    // Kernels are compiled meanwhile: the second time they are there.
    (await backend.compile(program))[Symbol.dispose]();
    const began = performance.now();
    using executable = await backend.compile(program);
    await executable.run(0, stepOf(program, [{}]));
    const { copiedWeights } = executable.memory;
    const value = copiedWeights / (performance.now() - began) / 1e6;
    report.check(`${type} weights are on the card`, copiedWeights > 0, `${copiedWeights} bytes`);
    report.measure({ name: `loading of ${type} weights`, unit: "GB/s", value });
  }
}
