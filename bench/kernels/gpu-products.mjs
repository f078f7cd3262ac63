/**
 * Bytes per second of the GPU's matrix–vector products and, to compare them with, of the card's copies: W [rows,
 * columns] @ x for each weight format, through the engine's own kernels, layouts and uploads. The GPU takes the time
 * (timestamp queries around passes of many products over different weights, so that no cache holds them); every
 * product waits for the one before it, as in decode. Dawn rounds timestamps to 65 µs: a sample on a card reads 32 GiB.
 * Results are checked before they are timed. `npm run bench:gpu` prints a table.
 */
import { writeFileSync } from "node:fs";
import { chooseAdapter, listAdapters, takeAdapter } from "../../dist/backends/webgpu/adapter.js";
import { openDevice } from "../../dist/backends/webgpu/device.js";
import { stepBytes } from "../../dist/backends/webgpu/kernel.js";
import { output } from "../../dist/backends/webgpu/kernels/epilogue.js";
import { gemv } from "../../dist/backends/webgpu/kernels/gemv.js";
import { createPipelines } from "../../dist/backends/webgpu/pipelines.js";
import { RecordingBuffers } from "../../dist/backends/webgpu/recording-buffers.js";
import { uploadAll } from "../../dist/backends/webgpu/upload.js";
import { checkoutCommit, describeMachine } from "../../dist/commands/bench/machine.js";
import { spreadOf } from "../../dist/commands/bench/statistics.js";
import { rowBytes, tensorType } from "../../dist/core/dtype.js";
import { ownVersion } from "../../dist/core/version.js";
import { quantCodec } from "../../dist/quant/codecs.js";

const usage = `Usage: npm run bench:gpu -- [options]
  --save FILE       also write the report as JSON
  --gpu CHOICE      adapter as in hearth run (default: a card; a software adapter only when named)
  --types A,B       default: F32,F16,Q8_0,Q4_0,Q4_K,Q6_K
  --shapes RxC,RxC  rows × columns (default: 4096x4096,4096x11008)
  --features NAME   all (default) or plain: the path that needs no optional feature
  --distinct-mib N  weights of a format and shape that are read in turn (default 1024; 1 on a software adapter)
  --read-mib N      read for one sample (default 32768; 1 on a software adapter)
  --rounds N        timed rounds after one that warms up (default 7)`;
const mebibyte = 2 ** 20;

const options = parseArguments(process.argv.slice(2));
const report = await measure(options);
console.log(asMarkdown(report));
if (options.save) writeFileSync(options.save, `${JSON.stringify(report, null, 1)}\n`);
// Dawn's instance would keep the process alive.
process.exit(0);

function parseArguments(list) {
  const found = {
    types: "F32,F16,Q8_0,Q4_0,Q4_K,Q6_K",
    shapes: "4096x4096,4096x11008",
    features: "all",
    rounds: "7",
    gpu: "auto",
  };
  const names = [...usage.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name);
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] === "--help") {
      console.log(usage);
      process.exit(0);
    }
    const name = list[i].slice(2);
    if (!list[i].startsWith("--") || !names.includes(name) || list[i + 1] === undefined) {
      console.error(`bench:gpu: cannot read "${list.slice(i, i + 2).join(" ")}"\n${usage}`);
      process.exit(2);
    }
    found[name] = list[i + 1];
  }
  return found;
}

async function measure(given) {
  const adapter = chooseAdapter(await listAdapters(), given.gpu);
  const isSoftware = adapter.kind === "software";
  const recording = {
    rounds: Number(given.rounds),
    distinct: Number(given["distinct-mib"] ?? (isSoftware ? 1 : 1024)) * mebibyte,
    read: Number(given["read-mib"] ?? (isSoftware ? 1 : 32768)) * mebibyte,
    loops: isSoftware ? "uniform" : "fixed",
  };
  const wanted = given.features === "plain" ? [] : ["shader-f16", "subgroups"];
  const taken = await takeAdapter(adapter);
  const open = await openDevice(taken, {
    name: adapter.name,
    features: [...wanted, "timestamp-query"],
  });
  if (!open.features.has("timestamp-query")) {
    throw new Error(`${adapter.name} has no timestamp queries: nothing can be measured`);
  }
  const timer = createTimer(open.device);
  const copy = await measureCopy(open, timer, recording);
  const results = [];
  for (const type of given.types.split(",")) {
    for (const shape of given.shapes.split(",")) {
      const [rows, columns] = shape.split("x").map(Number);
      const seconds = await measureProduct(open, timer, { ...recording, type, rows, columns });
      const rates = seconds.map((one) => one.bytes / one.seconds);
      results.push({ type, rows, columns, bytes_per_second: spreadOf(rates) });
      console.error(`${type} ${shape}: done`);
    }
  }
  return {
    hearth_gpu_products: 1,
    date: new Date().toISOString(),
    hearth: ownVersion(),
    commit: checkoutCommit(),
    machine: await describeMachine(),
    adapter: { name: adapter.name, backend: adapter.backend, kind: adapter.kind },
    features: [...open.features].filter((name) => wanted.includes(name)),
    rounds: recording.rounds,
    distinct_bytes: recording.distinct,
    read_bytes: recording.read,
    copy_bytes_per_second: copy,
    results,
  };
}

/** Seconds of the GPU between the begin of the first pass and the end of the last. */
function createTimer(device) {
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC });
  const readable = device.createBuffer({ size: 16, usage: MAP_READ | COPY_DST });
  const mark = (encoder, index) => {
    const end = index === 0 ? "beginningOfPassWriteIndex" : "endOfPassWriteIndex";
    encoder.beginComputePass({ timestampWrites: { querySet, [end]: index } }).end();
  };
  return async (record) => {
    const encoder = device.createCommandEncoder();
    mark(encoder, 0);
    record(encoder);
    mark(encoder, 1);
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, 16);
    device.queue.submit([encoder.finish()]);
    await readable.mapAsync(GPUMapMode.READ);
    const [begin, end] = new BigUint64Array(readable.getMappedRange().slice(0));
    readable.unmap();
    return Number(end - begin) / 1e9;
  };
}

/** Bytes per second that the card's own copy reads and writes. */
async function measureCopy({ device }, timer, { rounds, distinct, read }) {
  const size = Math.min(distinct, device.limits.maxBufferSize, 512 * mebibyte);
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [from, to] = [0, 1].map(() => device.createBuffer({ size, usage }));
  const times = Math.max(1, Math.round(read / size / 2));
  const rates = [];
  for (let round = 0; round <= rounds; round++) {
    const seconds = await timer((encoder) => {
      for (let i = 0; i < times; i++) encoder.copyBufferToBuffer(from, 0, to, 0, size);
    });
    if (round > 0) rates.push((2 * times * size) / Math.max(seconds, 1e-9));
  }
  from.destroy();
  to.destroy();
  return spreadOf(rates);
}

async function measureProduct(open, timer, request) {
  const { type, rows, columns, distinct, read, rounds, loops } = request;
  const bytes = rows * rowBytes(type, columns);
  const count = Math.max(2, Math.ceil(distinct / bytes));
  const { calls, gpu, y } = await prepare(open, { type, rows, columns, count, loops });
  try {
    await checkResult(open, { calls, y, type, rows, columns });
    const repeats = Math.max(1, Math.round(read / (count * bytes)));
    const samples = [];
    for (let round = 0; round <= rounds; round++) {
      const seconds = await timer((encoder) => {
        for (let i = 0; i < repeats; i++) dispatchAll(encoder, calls);
      });
      samples.push({ seconds: Math.max(seconds, 1e-9), bytes: repeats * count * bytes });
    }
    return samples.slice(1);
  } finally {
    for (const buffer of gpu.values()) buffer.destroy();
  }
}

function dispatchAll(encoder, calls) {
  const pass = encoder.beginComputePass();
  for (const { pipeline, bindGroup, groups } of calls) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...groups);
  }
  pass.end();
}

/** `count` products over weights of their own, lowered, compiled and uploaded as the backend does it. */
async function prepare(open, { type, rows, columns, count, loops }) {
  const { device } = open;
  const features = {
    subgroups: open.features.has("subgroups"),
    halves: open.features.has("shader-f16"),
  };
  const { maxStorageBufferBindingSize: maxBinding, maxBufferSize: maxBuffer } = device.limits;
  const buffers = new RecordingBuffers({ maxBinding, maxBuffer, loops, features });
  const step = buffers.empty("step", stepBytes(1, 1));
  const x = buffers.made("x", columns * 4, () => new Uint8Array(inputOf(columns).buffer));
  const y = buffers.empty("y", rows * 4);
  const data = weightData(type, rows, columns);
  const kernels = Array.from({ length: count }, (_, i) => {
    const weight = { name: `w${i}`, type, rows, columns, bytes: { kind: "memory", data } };
    return buffers.matrix({ label: weight.name, weights: [weight] }).map((piece) => {
      const outputs = [output(y, { first: 0, width: rows })];
      const epilogue = { outputs, into: "assign" };
      const product = { label: weight.name, x, piece, epilogue, step, shapes: buffers, of: "rows" };
      return gemv(product, { rows: 1, when: { of: "rows", min: 1, max: 1 } });
    });
  }).flat();
  const pipelines = createPipelines(open);
  await pipelines.compile(kernels.map((kernel) => pipelines.kernel(kernel)));
  const { STORAGE, COPY_DST, COPY_SRC, UNIFORM } = GPUBufferUsage;
  const usageOf = ({ purpose }) =>
    purpose === "uniform" ? UNIFORM | COPY_DST : STORAGE | COPY_DST | COPY_SRC;
  const gpu = new Map(
    buffers.all.map((spec) => [
      spec,
      device.createBuffer({ size: spec.bytes, usage: usageOf(spec) }),
    ]),
  );
  await uploadAll(gpu, { device, total: 1 });
  device.queue.writeBuffer(gpu.get(step), 0, Uint32Array.of(1, 1, 1, 1));
  const calls = kernels.map((kernel) => bindKernel(kernel, { device, pipelines, gpu }));
  return { calls, gpu, y: gpu.get(y) };
}

function bindKernel(kernel, { device, pipelines, gpu }) {
  const { bindings, groups } = kernel;
  const { pipeline, layout } = pipelines.kernel(kernel);
  const entries = bindings.map(({ buffer }, binding) => ({
    binding,
    resource: { buffer: gpu.get(buffer) },
  }));
  const bindGroup = device.createBindGroup({ layout, entries });
  // A grid of one row of the step.
  return { pipeline, bindGroup, groups: groups.map((extent) => extent.count ?? 1) };
}

function inputOf(columns) {
  return Float32Array.from({ length: columns }, (_, i) => Math.sin(i));
}

/** Rows that differ, of small normal numbers in every format: the first row's codes, rotated by whole blocks. */
function weightData(type, rows, columns) {
  const { blockElements, blockBytes } = tensorType(type);
  const values = Float32Array.from({ length: columns }, (_, i) => Math.cos(i * 1.7) / 8);
  const row = new Uint8Array(rowBytes(type, columns));
  quantCodec(type).quantise(values, 0, row, 0, columns / blockElements);
  const data = new Uint8Array(rows * row.length);
  for (let r = 0; r < rows; r++) {
    const shift = (r * blockBytes) % row.length;
    data.set(row.subarray(shift), r * row.length);
    data.set(row.subarray(0, shift), (r + 1) * row.length - shift);
  }
  return data;
}

/** @throws Error unless each row is the product of the codec's values, within 1e-4 of Σ|terms| (f32 sums). */
async function checkResult({ device }, { calls, y, type, rows, columns }) {
  const encoder = device.createCommandEncoder();
  dispatchAll(encoder, calls.slice(0, 1));
  const { MAP_READ, COPY_DST } = GPUBufferUsage;
  const readable = device.createBuffer({ size: rows * 4, usage: MAP_READ | COPY_DST });
  encoder.copyBufferToBuffer(y, 0, readable, 0, rows * 4);
  device.queue.submit([encoder.finish()]);
  await readable.mapAsync(GPUMapMode.READ);
  const got = new Float32Array(readable.getMappedRange().slice(0));
  readable.destroy();
  const { blockElements } = tensorType(type);
  const data = weightData(type, rows, columns);
  const x = inputOf(columns);
  const w = new Float32Array(columns);
  for (const row of [0, 1, Math.floor(rows / 2), rows - 1]) {
    const from = row * rowBytes(type, columns);
    quantCodec(type).dequantise(data, from, w, 0, columns / blockElements);
    let sum = 0;
    let size = 0;
    w.forEach((value, i) => {
      sum += value * x[i];
      size += Math.abs(value * x[i]);
    });
    if (!(Math.abs(got[row] - sum) <= 1e-4 * size)) {
      throw new Error(`${type}: row ${row} is ${got[row]}, expected ${sum}`);
    }
  }
}

function asMarkdown({ adapter, features, copy_bytes_per_second: copy, results, ...given }) {
  const gigabytes = ({ median, low, high }) =>
    [median, low, high].map((rate) => (rate / 1e9).toPrecision(3));
  const [middle, least, most] = gigabytes(copy);
  const lines = results.map(({ type, rows, columns, bytes_per_second: rate }) => {
    const [median, low, high] = gigabytes(rate);
    const share = Math.round((100 * rate.median) / copy.median);
    return `| ${type} | ${rows}×${columns} | ${median} (${low}–${high}) | ${share} % |`;
  });
  return `hearth ${given.hearth} ${given.commit}, ${given.date}, ${adapter.name} (${adapter.kind}), features: ${features.join(", ") || "none"}
copy: ${middle} GB/s read and written (${least}–${most}); ${given.rounds} rounds, median (least–greatest)

| weights | rows × columns | GB/s of weights | of copy |
| --- | --- | --- | --- |
${lines.join("\n")}`;
}
