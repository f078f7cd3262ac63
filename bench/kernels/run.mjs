/**
 * The neuron-aware operators beside dense products at 1…100 % density: on the CPU (bench/kernels/operators_bench.cc),
 * on the GPU (WGSL kernels through the backend), and PyTorch's where it is installed. `npm run bench:kernels` prints
 * a table and, with --save, writes the JSON that `npm run kernels-figure` draws.
 */
import { writeFileSync } from "node:fs";
import { loadAddon } from "../../dist/backends/addon.js";
import { checkoutCommit, describeMachine } from "../../dist/commands/bench/machine.js";
import { ratioOf, spreadOf } from "../../dist/commands/bench/statistics.js";
import { ownVersion } from "../../dist/core/version.js";
import { measureCpu } from "./measure-cpu.mjs";
import { measureGpu } from "./measure-gpu.mjs";
import { measureTorch } from "./measure-torch.mjs";

const usage = `Usage: npm run bench:kernels -- [options]
  --save FILE         also write the report as JSON, for bench/results/kernels-MACHINE.json
  --threads N         of the CPU and of PyTorch (default: physical cores)
  --mib N             of each CPU matrix (default: eight times the last-level cache, 128 to 1024)
  --gpu-mib N         of a type's weights on the GPU (default: 1024; 8 on a software adapter)
  --gpu CHOICE        adapter as in hearth run (default: a card; a software adapter only when named)
  --types A,B         default: all that are measured on each device
  --rounds N          timed rounds after one that warms up (default 5)
  --isa NAME          kernels of the CPU (default: the best that runs here)
  --python PATH       a Python with torch (default: python3, /usr/bin/python3)
  --only cpu,gpu,torch`;

const percents = [1, 2, 5, 10, 20, 30, 50, 100];
const columns = 4096;
const mebibyte = 2 ** 20;
/** L3 of machines whose addon does not report it. */
const unknownCache = 64 * mebibyte;

const options = parseArguments(process.argv.slice(2));
const report = await measure(options);
const { asMarkdown } = await import(
  new URL("../../build/tools/tools/kernels-figure/table.js", import.meta.url)
);
console.log(asMarkdown(report));
if (options.save) writeFileSync(options.save, `${JSON.stringify(report, null, 1)}\n`);

function parseArguments(list) {
  const found = { only: "cpu,gpu,torch", rounds: "5" };
  const names = [...usage.matchAll(/--([a-z-]+)/g)].map(([, name]) => name);
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i].slice(2);
    if (list[i] === "--help") {
      console.log(usage);
      process.exit(0);
    }
    if (!list[i].startsWith("--") || !names.includes(name) || list[i + 1] === undefined) {
      console.error(`bench:kernels: cannot read "${list.slice(i, i + 2).join(" ")}"\n${usage}`);
      process.exit(2);
    }
    found[name] = list[i + 1];
  }
  return found;
}

async function measure(given) {
  const date = new Date().toISOString();
  const loaded = loadAddon();
  const native = loaded.kind === "loaded" ? loaded.addon.machine() : undefined;
  const cache = Math.max(...(native?.cacheBytes ?? []), 0) || unknownCache;
  const machine = await describeMachine();
  const bytes = given.mib
    ? Number(given.mib) * mebibyte
    : Math.min(1024 * mebibyte, Math.max(128 * mebibyte, 8 * cache));
  const request = {
    ...given,
    percents,
    columns,
    bytes,
    // Before each sample twice the size of the cache is read, so that nothing of the last sample is left in it.
    flushBytes: 2 * cache,
    rounds: Number(given.rounds),
    threads: Number(given.threads ?? machine.physical_cores ?? 1),
    types: given.types?.split(","),
  };
  const runs = [];
  const skipped = [];
  for (const [name, take] of [
    ["cpu", measureCpu],
    ["torch", measureTorch],
    ["gpu", measureGpu],
  ]) {
    if (!given.only.split(",").includes(name)) continue;
    const began = performance.now();
    const answer = await take(request);
    if (answer.kind === "skipped") skipped.push({ name, reason: answer.reason });
    else runs.push(...answer.runs);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.error(`${name}: ${answer.kind === "skipped" ? answer.reason : `${seconds} s`}`);
  }
  return {
    hearth_kernels: 1,
    date,
    hearth: ownVersion(),
    commit: checkoutCommit(),
    machine,
    command: ["npm run bench:kernels --", ...process.argv.slice(2)].join(" "),
    repetitions: request.rounds,
    columns,
    matrix_bytes: bytes,
    cache_bytes: cache,
    skipped,
    results: resultsOf(runs),
  };
}

/** Ratios compare samples of the same round: by the threads' own time if it was measured, otherwise by wall time. */
function resultsOf(runs) {
  const own = (run) => run.cpu_seconds ?? run.seconds;
  const dense = (run) =>
    runs.find(
      ({ operator, type, device }) =>
        operator === "dense" && type === run.type && device === run.device,
    );
  const rates = (run) => own(run).map((seconds) => run.bytes / seconds);
  const fastest = (candidates) =>
    candidates.reduce((most, run) => Math.max(most, spreadOf(rates(run)).median), 0);
  const readRoof = fastest(runs.filter(({ operator }) => operator === "read"));
  const roof = (run) => {
    const isGpu = run.device.startsWith("gpu");
    const sameDevice = runs.filter(
      ({ device, operator }) => device === run.device && operator === "dense",
    );
    return isGpu || readRoof === 0 ? fastest(sameDevice) : readRoof;
  };
  return runs.map((run) => ({
    device: run.device,
    operator: run.operator,
    type: run.type,
    percent: run.percent,
    bytes: run.bytes,
    seconds: spreadOf(run.seconds),
    ...(run.cpu_seconds && { cpu_seconds: spreadOf(run.cpu_seconds) }),
    bytes_per_second: spreadOf(rates(run)).median,
    roof_bytes_per_second: roof(run),
    of_dense: ratioOf(own(run), own(dense(run))),
  }));
}
