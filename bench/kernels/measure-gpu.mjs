/**
 * The WGSL kernels at every density: feed-forward blocks through the WebGPU backend, dense ones and sparse ones with a
 * predictor (score, list, up over the list, down over the list). The predictor's input sets the share of active
 * neurons; the backend's own count is checked against it.
 */
import { chooseAdapter, listAdapters } from "../../dist/backends/webgpu/adapter.js";
import { createWebGpuBackend } from "../../dist/backends/webgpu/webgpu-backend.js";
import { rowBytes, weightTypes } from "../../dist/core/dtype.js";
import { createStep } from "../../dist/ops/program.js";

/** More than the caches of today's cards (72 MB on an RTX 4090), and much longer than a submission; a software adapter only shows that it runs. */
const hardwareMib = 1024;
const softwareMib = 8;
/** A software driver needs seconds to compile the kernels of a type. */
const softwareTypes = ["F16", "Q4_0"];
const blocks = 4;

export async function measureGpu(request) {
  const adapters = await listAdapters();
  let adapter;
  try {
    adapter = chooseAdapter(adapters, request.gpu ?? "auto");
  } catch (error) {
    return { kind: "skipped", reason: error.message };
  }
  const isSoftware = adapter.kind === "software";
  const bytes = Number(request["gpu-mib"] ?? (isSoftware ? softwareMib : hardwareMib)) * 2 ** 20;
  const types = request.types ?? (isSoftware ? softwareTypes : weightTypes);
  const backend = await createWebGpuBackend({ adapter: adapter.index });
  const device = backend.description;
  const runs = [];
  try {
    for (const type of types) {
      const measured = await measureType(backend, { ...request, type, bytes });
      runs.push(...measured.map((run) => ({ ...run, device })));
    }
  } finally {
    backend[Symbol.dispose]();
  }
  return { kind: "measured", runs };
}

async function measureType(backend, { type, bytes, columns, percents, rounds }) {
  // Up, down by columns (dense) and down by neurons (sparse); a multiple of the largest block of a type.
  const neurons = Math.max(
    256,
    Math.floor(bytes / (3 * blocks * rowBytes(type, columns) * 256)) * 256,
  );
  // Compiled by bench:kernels before it runs.
  const { dialOf, sparseProgram, sparseSegments } = await import(
    new URL("../../build/tools/tools/prove-gpu/sparse-program.js", import.meta.url)
  );
  const shape = { type, neurons, columns, blocks, hasGates: false };
  const { program, dial, x } = sparseProgram(shape);
  const executable = await backend.compile(program);
  try {
    executable.write(x, new Float32Array(columns).fill(0.5));
    const set = (share, order) => executable.write(dial, dialOf(columns, share, order));
    const cases = { set, segments: sparseSegments, type, neurons, columns, percents, rounds };
    return await measureCases(executable, cases);
  } finally {
    executable[Symbol.dispose]();
  }
}

async function measureCases(executable, { set, segments, percents, rounds, ...shape }) {
  const { type, neurons, columns } = shape;
  const step = createStep(1, 1);
  step.rowCount = 1;
  const blockBytes = blocks * 2 * neurons * rowBytes(type, columns);
  const cases = [
    { type, operator: "dense", percent: 100, bytes: blockBytes, seconds: [] },
    ...percents.map((percent) => ({ type, operator: "block", percent, bytes: 0, seconds: [] })),
  ];
  for (let round = 0; round <= rounds; round++) {
    // Submission and reading back belong to no operator: their time in the same round is subtracted.
    const timed = (segment) => timedRun(executable, { segment, barrier: segments.nothing, step });
    const nothing = await timed(segments.nothing);
    for (const one of cases) {
      const isDense = one.operator === "dense";
      if (!isDense) {
        set(one.percent / 100, round);
        // Reads other weights than the last sample did, so that a sample finds none of its own in a cache.
        await timed(segments.dense);
      }
      executable.ffnCounts();
      const seconds = await timed(isDense ? segments.dense : segments.ungated);
      if (!isDense) one.bytes = activeBytes(executable.ffnCounts(), one.percent, { type, columns });
      if (round > 0) one.seconds.push(Math.max(seconds - nothing, 1e-9));
    }
  }
  return cases;
}

/** The read-back of the barrier arrives when the segment is done. */
async function timedRun(executable, { segment, barrier, step }) {
  const began = performance.now();
  await Promise.all([executable.run(segment, step), executable.run(barrier, step)]);
  return (performance.now() - began) / 1000;
}

/** @throws Error unless the kernels computed the requested share. */
function activeBytes(counts, percent, { type, columns }) {
  const active = counts.reduce((sum, count) => sum + count.active, 0);
  const all = counts.reduce((sum, count) => sum + count.rows * count.neurons, 0);
  // The orders are evenly spaced; rounding to f16 moves a share by less than a thousandth of it.
  if (Math.abs(active / all - percent / 100) > 0.002 * (percent / 100) + 2 / (all / blocks)) {
    throw new Error(`${type}: ${active} of ${all} neurons were active, expected ${percent} %`);
  }
  return active * 2 * rowBytes(type, columns);
}
