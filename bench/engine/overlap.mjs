/**
 * How well card and processor overlap in a split layer: from a timeline of 50 tokens, how much of the FFN phase (residual
 * copied → merged) is waiting or merge. Needs npm run build; the model of issue scale (dim 2048, ff 8192, F16, 4 layers)
 * is one line of make-model:
 *   npm run make-model -- m.gguf --dim 2048 --ffn 8192 --layers 4 --vocab 1024
 *   LP_NUM_THREADS=1 node bench/engine/overlap.mjs m.gguf [--hardware FILE] [--tokens 50] [--threads 1] [--runs 3]
 *     [--result bench/results/overlap.json] [--timeline FILE]
 * On software Vulkan (lavapipe) LP_NUM_THREADS=1 gives each device one core. The split is the planner's, from a profile
 * that is measured now unless a file is named. A software card is so slow that the planner would leave it nothing, so
 * attention is pinned to it: the profile says that F32, of which only norms are, costs the processor dearly. The speed
 * of F16, by which the neurons are balanced, stays as measured.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { spreadOf } from "../../dist/commands/bench/statistics.js";
import { Engine, measureMachine } from "../../dist/index.js";
import { beginExperiment, endExperiment } from "./experiment.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    hardware: { type: "string" },
    tokens: { type: "string", default: "50" },
    threads: { type: "string", default: "1" },
    runs: { type: "string", default: "1" },
    result: { type: "string" },
    timeline: { type: "string" },
  },
});
const [model] = positionals;
if (model === undefined) {
  console.error("usage: node bench/engine/overlap.mjs MODEL.gguf [--hardware FILE] [--tokens 50]");
  process.exit(2);
}
const tokens = Number(values.tokens);
const threads = Number(values.threads);
/** Steps before those that count: pipelines, caches and clocks settle. */
const warmUp = 8;

const folder = mkdtempSync(join(tmpdir(), "hearth-overlap-"));
try {
  await main();
} finally {
  rmSync(folder, { recursive: true });
}

async function main() {
  const began = await beginExperiment(
    "Overlap of card and processor in split layers (dim 2048, ff 8192, F16, dense)",
    "LP_NUM_THREADS=1 node bench/engine/overlap.mjs",
  );
  const measured =
    values.hardware === undefined
      ? await measureMachine({ gpu: 0, threads })
      : readFileSync(values.hardware, "utf8");
  const profile = JSON.parse(measured);
  const hardware = join(folder, "hardware.json");
  writeFileSync(hardware, JSON.stringify(withAttentionOnCard(profile)));
  const runs = [];
  for (let run = 0; run < Number(values.runs); run++) runs.push(await measure(hardware));
  report({ began, profile, runs });
}

/** One engine, one answer: what its split layers did in decode steps. */
async function measure(hardware) {
  const engine = await Engine.open(model, {
    device: "hybrid",
    gpu: 0,
    threads,
    hardware,
    vramBudget: 4 * 2 ** 30,
    contextLength: 256,
    batchSize: 16,
    sparsity: "dense",
    timeline: true,
  });
  try {
    const started = performance.now();
    const maxTokens = tokens + warmUp + 1;
    await engine.generate([3, 4, 5, 6], { temperature: 0, ignoreEos: true, maxTokens }).result;
    const seconds = (performance.now() - started) / 1000;
    const timeline = await engine.timeline();
    if (values.timeline !== undefined) writeFileSync(values.timeline, timeline);
    const phases = ffnPhases(JSON.parse(timeline).traceEvents);
    return summary({ engine, phases, tokensPerSecond: maxTokens / seconds });
  } finally {
    engine.close();
  }
}

function withAttentionOnCard({ cpu, gpu, ...rest }) {
  const speeds = (device, F32) => ({ ...device.readBytesPerSecond, F32 });
  return {
    ...rest,
    cpu: { ...cpu, readBytesPerSecond: speeds(cpu, 1e5) },
    gpu: { ...gpu, readBytesPerSecond: speeds(gpu, 1e12) },
  };
}

/** One per split layer and decode step, times in microseconds. */
function ffnPhases(events) {
  const steps = new Map();
  for (const event of events) {
    if (event.ph !== "X") continue;
    const { step } = event.args;
    steps.set(step, [...(steps.get(step) ?? []), event]);
  }
  const decode = [...steps.entries()].sort(([a], [b]) => a - b).slice(1 + warmUp);
  return decode.slice(0, tokens).flatMap(([, all]) => {
    const merges = all.filter(({ name }) => name.startsWith("merge "));
    return merges.map((merge) => phaseOf(all, merge));
  });
}

function phaseOf(all, merge) {
  const layer = merge.name.slice("merge ".length);
  const named = (name) => all.find((event) => event.name === `${name} ${layer}`);
  const cold = named("cold ffn");
  const hot = named("hot ffn");
  const link = all.filter(({ tid }) => tid === 2);
  // The copy that brought the residual is the last one before the cold neurons began, their result's the first behind.
  const copied = link.filter(({ ts }) => ts <= cold.ts).at(-1);
  const upload = link.find(({ ts }) => ts >= cold.ts + cold.dur);
  const start = copied.ts + copied.dur;
  const end = merge.ts + merge.dur;
  const phase = end - start;
  const within = (event) => {
    if (event === undefined) return [start, start];
    return [Math.max(event.ts, start), Math.max(Math.min(event.ts + event.dur, merge.ts), start)];
  };
  const [hotFrom, hotTo] = within(hot);
  const [coldFrom, coldTo] = within(cold);
  const both = Math.max(0, Math.min(hotTo, coldTo) - Math.max(hotFrom, coldFrom));
  const hotTime = hotTo - hotFrom;
  const coldTime = coldTo - coldFrom;
  return {
    phase,
    hot: hotTime,
    cold: coldTime,
    /** Neither device computes before the merge, and the merge. */
    waitingAndMerge: phase - (hotTime + coldTime - both),
    start: coldFrom - start,
    noticed: upload.ts - coldTo,
    upload: upload.dur,
    /** The card was still at its hot neurons when the processor's result had arrived. */
    cardLate: Math.max(0, merge.ts - upload.ts - upload.dur),
    merge: merge.dur,
  };
}

function summary({ engine, phases, tokensPerSecond }) {
  const of = (measure) => {
    const sorted = phases.map(measure).toSorted((a, b) => a - b);
    const at = (share) => Number((sorted[Math.floor(share * sorted.length)] ?? NaN).toFixed(3));
    return { p10: at(0.1), median: at(0.5), p90: at(0.9) };
  };
  const milliseconds = (part) => of((phase) => phase[part] / 1000);
  return {
    device: engine.device,
    split: engine.plan.layers.map(({ parts }) =>
      Object.fromEntries(parts.map(({ device, neurons }) => [device, neurons.length])),
    ),
    phases: phases.length,
    waitingAndMergeShare: of(({ waitingAndMerge, phase }) => waitingAndMerge / phase),
    processorIdleShare: of(({ phase, cold }) => (phase - cold) / phase),
    milliseconds: {
      phase: milliseconds("phase"),
      hot: milliseconds("hot"),
      untilColdBegins: milliseconds("start"),
      cold: milliseconds("cold"),
      untilColdIsNoticed: milliseconds("noticed"),
      upload: milliseconds("upload"),
      cardLate: milliseconds("cardLate"),
      merge: milliseconds("merge"),
    },
    tokensPerSecond: Number(tokensPerSecond.toFixed(2)),
  };
}

function report({ began, profile, runs }) {
  const over = (measure) => spreadOf(runs.map(measure));
  const percent = (part) => over((run) => 100 * run[part].median);
  const of = (part) => over((run) => run.milliseconds[part].median);
  const results = [
    {
      name: "waiting and merge, of the FFN phase",
      unit: "%",
      value: percent("waitingAndMergeShare"),
      goal: "≤ 20 %",
    },
    { name: "processor idle, of the FFN phase", unit: "%", value: percent("processorIdleShare") },
    { name: "FFN phase", unit: "ms", value: of("phase") },
    { name: "merge", unit: "ms", value: of("merge") },
  ];
  const speeds = {
    cpu: profile.cpu.readBytesPerSecond.F16,
    gpu: profile.gpu?.readBytesPerSecond.F16,
  };
  const details = { tokens, f16BytesPerSecond: speeds, runs };
  endExperiment({ ...began, repetitions: runs.length, results, details }, values.result);
}
