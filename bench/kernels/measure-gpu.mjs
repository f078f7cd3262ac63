/**
 * The WGSL kernels at every density: feed-forward blocks through the WebGPU backend, dense ones and sparse ones with a
 * predictor (score, list, up over the list, down over the list). The predictor's input sets the share of active
 * neurons; the backend's own count is checked against it.
 */
import { chooseAdapter, listAdapters } from "../../dist/backends/webgpu/adapter.js";
import { createWebGpuBackend } from "../../dist/backends/webgpu/webgpu-backend.js";
import { rowBytes, weightTypes } from "../../dist/core/dtype.js";
import { createRandom } from "../../dist/core/random.js";
import { createStep } from "../../dist/ops/program.js";
import { quantCodec } from "../../dist/quant/codecs.js";

/** More than the caches of today's cards (72 MB on an RTX 4090), and much longer than a submission; a software adapter only shows that it runs. */
const hardwareMib = 1024;
const softwareMib = 8;
/** A software driver needs seconds to compile the kernels of a type. */
const softwareTypes = ["F16", "Q4_0"];
const blocks = 4;
/** Rank of the predictor: one row sets the share; each of the others is an order of the neurons, used in one round. */
const rank = 64;
const segments = { dense: 0, sparse: 1, nothing: 2 };

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
  const { program, input, x } = makeProgram({ type, neurons, columns });
  const executable = await backend.compile(program);
  try {
    executable.write(x, new Float32Array(columns).fill(0.5));
    return await measureCases(executable, { input, type, neurons, columns, percents, rounds });
  } finally {
    executable[Symbol.dispose]();
  }
}

async function measureCases(executable, { input, type, neurons, columns, percents, rounds }) {
  const step = createStep(1, 1);
  step.rowCount = 1;
  const dial = new Float32Array(columns);
  const blockBytes = blocks * 2 * neurons * rowBytes(type, columns);
  const cases = [
    { type, operator: "dense", percent: 100, bytes: blockBytes, seconds: [] },
    ...percents.map((percent) => ({ type, operator: "block", percent, bytes: 0, seconds: [] })),
  ];
  for (let round = 0; round <= rounds; round++) {
    // Submission and reading back belong to no operator: their time in the same round is subtracted.
    const nothing = await timed(executable, segments.nothing, step);
    for (const one of cases) {
      const isDense = one.operator === "dense";
      if (!isDense) {
        dial.fill(0);
        dial[0] = one.percent / 100;
        dial[1 + (round % (rank - 1))] = 1;
        executable.write(input, dial);
        // Reads other weights than the last sample did, so that a sample finds none of its own in a cache.
        await executable.run(segments.dense, step);
      }
      executable.ffnCounts();
      const seconds = await timed(executable, isDense ? segments.dense : segments.sparse, step);
      if (!isDense) one.bytes = activeBytes(executable.ffnCounts(), one.percent, { type, columns });
      if (round > 0) one.seconds.push(Math.max(seconds - nothing, 1e-9));
    }
  }
  return cases;
}

async function timed(executable, segment, step) {
  const began = performance.now();
  await executable.run(segment, step);
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

function makeProgram({ type, neurons, columns }) {
  const slots = ["x", "predictor input", "y"].map((name, id) => ({
    id,
    name,
    width: columns,
    rows: "step",
  }));
  const [x, input, y] = slots;
  const predictor = makePredictor(neurons, columns);
  // 0x11 in every byte: small normal numbers in every type.
  const data = new Uint8Array(neurons * rowBytes(type, columns)).fill(0x11);
  const weight = (name, rows, width) => ({
    name,
    type,
    rows,
    columns: width,
    bytes: { kind: "memory", data },
  });
  const dense = [];
  const sparse = [];
  for (let layer = 0; layer < blocks; layer++) {
    const block = {
      layer,
      dim: columns,
      neurons,
      gating: "ungated",
      activation: { kind: "relu" },
      up: weight(`up ${layer}`, neurons, columns),
    };
    const op = { kind: "ffn", x, out: y, into: "assign" };
    dense.push({
      ...op,
      block: {
        ...block,
        down: { layout: "columns", weight: weight(`down ${layer}`, columns, neurons) },
        method: { kind: "dense" },
      },
    });
    sparse.push({
      ...op,
      block: {
        ...block,
        down: { layout: "rows", weight: weight(`down_t ${layer}`, neurons, columns) },
        method: { kind: "mlp", input, ...predictor, threshold: 0 },
      },
    });
  }
  const program = {
    slots,
    kv: { layers: 0, kvHeads: 1, headDim: 8, contextLength: 1, sequences: 1, type: "f32" },
    segments: [dense, sparse, []].map((ops, i) => ({ name: `segment ${i}`, ops, outputs: [y] })),
    maxRows: 1,
    maxOutputs: 1,
  };
  return { program, input, x };
}

/** score[n] = share − order[k][n], k being the 1 in the input: active are those whose order is below the share. */
function makePredictor(neurons, columns) {
  const random = createRandom(11);
  const fc1 = new Float32Array(rank * columns);
  const fc2 = new Float32Array(neurons * rank);
  for (let r = 0; r < rank; r++) fc1[r * columns + r] = 1;
  for (let r = 1; r < rank; r++) {
    const order = Array.from({ length: neurons }, (_, n) => (n + 0.5) / neurons);
    for (let n = neurons - 1; n > 0; n--) {
      const other = random.integer(n + 1);
      [order[n], order[other]] = [order[other], order[n]];
    }
    for (let n = 0; n < neurons; n++) fc2[n * rank + r] = -order[n];
  }
  for (let n = 0; n < neurons; n++) fc2[n * rank] = 1;
  return {
    fc1: halfWeight("fc1", rank, columns, fc1),
    fc2: halfWeight("fc2", neurons, rank, fc2),
  };
}

function halfWeight(name, rows, columns, values) {
  const data = new Uint8Array(rows * columns * 2);
  quantCodec("F16").quantise(values, 0, data, 0, rows * columns);
  return { name, type: "F16", rows, columns, bytes: { kind: "memory", data } };
}
