/**
 * How decode speed grows from one thread to two, beside how reading memory does, which bounds it: in every round the read
 * roof and an answer with one thread, then with two. Needs npm run build:
 *   node bench/engine/threads.mjs MODEL.gguf [--sparsity auto] [--tokens 32] [--rounds 20] [--busy-core]
 *     [--result bench/results/threads.json]
 * --busy-core keeps one core busy with a loop beside it all. A round is thrown away first. Best on an idle machine: on one
 * that shares its memory with others, two threads may read hardly more than one.
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { loadAddon } from "../../dist/backends/addon.js";
import { ratioOf, spreadOf } from "../../dist/commands/bench/statistics.js";
import { Engine } from "../../dist/index.js";
import { beginExperiment, endExperiment } from "./experiment.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sparsity: { type: "string", default: "auto" },
    tokens: { type: "string", default: "32" },
    rounds: { type: "string", default: "20" },
    "busy-core": { type: "boolean", default: false },
    result: { type: "string" },
  },
});
const [model] = positionals;
if (model === undefined) {
  process.stderr.write("usage: node bench/engine/threads.mjs MODEL.gguf [--rounds 20]\n");
  process.exit(2);
}
const tokens = Number(values.tokens);
/** Longer than any cache. */
const roofBytes = 128 * 2 ** 20;
const threadCounts = [1, 2];

const name = basename(model);
const besides = values["busy-core"] ? ", one core kept busy" : "";
const began = await beginExperiment(
  `Decoding with one thread and with two: ${name}, ${values.sparsity}${besides}`,
  `node bench/engine/threads.mjs ${name} --sparsity ${values.sparsity} --tokens ${values.tokens} --rounds ${values.rounds}${values["busy-core"] ? " --busy-core" : ""}`,
);
const spinner = values["busy-core"] ? new Worker("for (;;);", { eval: true }) : undefined;
const loaded = loadAddon();
if (loaded.kind === "missing") throw new Error(loaded.reason);
const { addon } = loaded;
const configurations = await Promise.all(threadCounts.map(configure));
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const each of configurations) {
    const roof = await addon.measureRead(each.pool.handle, roofBytes);
    const speed = await decodeSpeed(each.engine);
    if (round === 0) continue;
    each.roof.push(roof / 1e9);
    each.speed.push(speed);
  }
}
await spinner?.terminate();
for (const { engine } of configurations) await engine.close();
report(configurations);

async function configure(threads) {
  const options = { sparsity: values.sparsity, threads, device: "cpu", contextLength: 512 };
  const engine = await Engine.open(model, options);
  return { engine, pool: addon.createPool(threads, undefined), roof: [], speed: [] };
}

/** Tokens a second behind the first two, which find the caches of the configuration before. */
async function decodeSpeed(engine) {
  const options = { maxTokens: tokens + 2, temperature: 0, ignoreEos: true };
  let seen = 0;
  let started = 0;
  for await (const _ of engine.generate("", options)) {
    seen++;
    if (seen === 2) started = performance.now();
  }
  return (1000 * (seen - 2)) / (performance.now() - started);
}

function report([one, two]) {
  const gain = ratioOf(two.speed, one.speed);
  const roofGain = ratioOf(two.roof, one.roof);
  const measure = (title, unit, value, goal) => ({
    name: title,
    unit,
    value,
    ...(goal && { goal }),
  });
  endExperiment(
    {
      ...began,
      repetitions: Number(values.rounds),
      results: [
        measure("one thread", "tokens/s", spreadOf(one.speed)),
        measure("two threads", "tokens/s", spreadOf(two.speed)),
        measure("memory read by one thread", "GB/s", spreadOf(one.roof)),
        measure("memory read by two", "GB/s", spreadOf(two.roof)),
        measure("two threads over one, reading memory", "×", roofGain),
        measure(
          "two threads over one, decoding",
          "×",
          gain,
          values["busy-core"] ? "≥ 0.9 ×" : "≥ 1.5 ×",
        ),
        measure(
          "gain in decoding, of the gain in reading",
          "×",
          ratioOf(gain.samples, roofGain.samples),
        ),
      ],
    },
    values.result,
  );
}
