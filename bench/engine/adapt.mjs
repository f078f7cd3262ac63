/**
 * What exchanging neurons between the devices brings: a plan made without a profile on a model whose neurons fire by a
 * power law, the same answers with `adapt` and without, round by round. Needs npm run build and a GPU adapter:
 *   npm run make-model -- m.gguf --dim 512 --ffn 2048 --layers 4 --vocab 512 --activation relu --active 0.1 --skew 1
 *   LP_NUM_THREADS=1 node bench/engine/adapt.mjs m.gguf --hardware FILE [--budget 0.7] [--rounds 6] [--tokens 60]
 *     [--result bench/results/adapt.json]
 * The plan says that it expects every activation on the card, so groups move as long as that gains.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { spreadOf } from "../../dist/commands/bench/statistics.js";
import { Engine, planPlacement } from "../../dist/index.js";
import { beginExperiment, endExperiment } from "./experiment.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    hardware: { type: "string" },
    budget: { type: "string", default: "0.7" },
    rounds: { type: "string", default: "6" },
    tokens: { type: "string", default: "60" },
    sparsity: { type: "string", default: "gate" },
    result: { type: "string" },
  },
});
const [model] = positionals;
if (model === undefined || values.hardware === undefined) {
  console.error("usage: node bench/engine/adapt.mjs MODEL.gguf --hardware FILE [--budget 0.7]");
  process.exit(2);
}
const tokens = Number(values.tokens);
const { hardware, sparsity } = values;
const shape = { hardware, gpu: 0, sparsity, batchSize: 1, threads: 1, contextLength: 256 };
/** Longer than an engine waits before it calls the moment idle, and than an exchange takes. */
const pause = 300;

const began = await beginExperiment(
  "Exchange of neurons between the devices, from a plan without a profile",
  "LP_NUM_THREADS=1 node bench/engine/adapt.mjs",
);
const folder = mkdtempSync(join(tmpdir(), "hearth-adapt-"));
try {
  const plan = join(folder, "plan.json");
  const json = await planFor(plan);
  const runs = { without: await rounds(plan, false), with: await rounds(plan, true) };
  report(json, runs);
} finally {
  rmSync(folder, { recursive: true });
}

async function planFor(file) {
  const whole = (await planPlacement(model, { ...shape, vramBudget: 2 ** 32 })).json.gpu_bytes;
  const vramBudget = Math.floor(whole * Number(values.budget));
  const { json } = await planPlacement(model, { ...shape, vramBudget });
  writeFileSync(file, JSON.stringify({ ...json, gpu_activation_share: 1 }));
  return json;
}

async function rounds(plan, adapt) {
  const engine = await Engine.open(model, { ...shape, device: "hybrid", plan, adapt });
  const found = [];
  let before = { share: 0, rounds: 0 };
  try {
    for (let round = 0; round < Number(values.rounds); round++) {
      const started = performance.now();
      const asked = { temperature: 0, ignoreEos: true, maxTokens: tokens };
      const { tokens: answer } = await engine.generate([5, 17, 2, 9], asked).result;
      const milliseconds = performance.now() - started;
      await sleep(pause);
      const { hybrid } = await engine.report();
      // The report's share is that of all rounds so far, which have the same active neurons.
      const share = hybrid.gpuActivationShare * (round + 1) - before.share * round;
      before = { share: hybrid.gpuActivationShare };
      found.push({
        share: Number(share.toFixed(4)),
        millisecondsPerToken: Number((milliseconds / tokens).toFixed(2)),
        exchangedGroups: hybrid.exchangedGroups,
        gpuBytes: hybrid.gpuBytes,
        answer: answer.join(),
      });
    }
  } finally {
    engine.close();
  }
  return found;
}

function report(json, runs) {
  const all = [...runs.without, ...runs.with];
  const plain = ({ answer: _, ...round }) => round;
  const measures = ([title, rounds]) => {
    const later = rounds.slice(Math.floor(rounds.length / 2));
    const over = (of) => spreadOf(later.map(of));
    return [
      { name: `share on the card, ${title}`, unit: "%", value: over(({ share }) => 100 * share) },
      {
        name: `time, ${title}`,
        unit: "ms/token",
        value: over(({ millisecondsPerToken }) => millisecondsPerToken),
      },
    ];
  };
  const titles = [
    ["as planned", runs.without],
    ["with adapt", runs.with],
  ];
  const details = {
    expectedShare: json.gpu_activation_share,
    split: json.layers.map(({ hot, cold }) => ({ hot, cold })),
    answersAreEqual: all.every(({ answer }) => answer === all[0].answer),
    without: runs.without.map(plain),
    with: runs.with.map(plain),
  };
  const repetitions = Math.ceil(runs.with.length / 2);
  const results = titles.flatMap(measures);
  endExperiment({ ...began, repetitions, results, details }, values.result);
}
