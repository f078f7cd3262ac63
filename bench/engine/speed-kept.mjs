/**
 * Whether a change kept the speed: two builds of hearth in turn, ratios new / old round by round.
 *   node bench/engine/speed-kept.mjs OLD NEW DENSE.gguf SPARSE.gguf [--sparsity mlp] [--rounds 15] [--threads 2]
 *     [--prompt 128] [--answer 48] [--goal 0.98] [--result FILE]
 * OLD and NEW are checkouts with a built dist. Measured are decoding and reading a prompt of DENSE, dense, and decoding of
 * SPARSE by a sparse method (bench/engine/readme-table.mjs makes such models). Printed: the median of each, the interval
 * that holds it with 95 %, the range. Exit code 1 where a median misses the goal. Needs a quiet machine.
 */
import { execFileSync } from "node:child_process";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { medianInterval, ratioOf, spreadOf } from "../../dist/commands/bench/statistics.js";
import { beginExperiment, endExperiment } from "./experiment.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sparsity: { type: "string", default: "mlp" },
    rounds: { type: "string", default: "15" },
    threads: { type: "string", default: "2" },
    prompt: { type: "string", default: "128" },
    answer: { type: "string", default: "48" },
    goal: { type: "string", default: "0.98" },
    result: { type: "string" },
  },
});
const [old, current, dense, sparse] = positionals;
if (sparse === undefined) {
  console.error("usage: node bench/engine/speed-kept.mjs OLD NEW DENSE.gguf SPARSE.gguf [options]");
  process.exit(2);
}
const { prompt, answer, threads, sparsity } = values;
const rounds = Number(values.rounds);
const goal = Number(values.goal);
const sides = [old, current].map((checkout) => ({
  main: join(resolve(checkout), "dist/cli/main.js"),
  commit: undefined,
  rates: { decode: [], prompt: [], sparse: [] },
}));

const began = await beginExperiment(
  "",
  `node bench/engine/speed-kept.mjs OLD NEW ${basename(dense)} ${basename(sparse)} --sparsity ${sparsity} --rounds ${rounds} --threads ${threads} --prompt ${prompt} --answer ${answer}`,
);
for (let round = 0; round < rounds; round++) {
  // Who goes first changes from round to round.
  for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
    const [reading, writing] = bench(side, dense, ["-p", prompt, "-n", answer], "dense");
    const [sparseWriting] = bench(side, sparse, ["-p", "0", "-n", answer], sparsity);
    side.rates.prompt.push(reading);
    side.rates.decode.push(writing);
    side.rates.sparse.push(sparseWriting);
  }
  console.error(`round ${round + 1} of ${rounds}`);
}

const [before, after] = sides;
const names = {
  decode: `${basename(dense)}, dense, tg${answer}`,
  prompt: `${basename(dense)}, dense, pp${prompt}`,
  sparse: `${basename(sparse)}, ${sparsity}, tg${answer}`,
};
const results = [];
const details = [];
for (const [kind, name] of Object.entries(names)) {
  const ratio = ratioOf(after.rates[kind], before.rates[kind]);
  const interval = medianInterval(ratio.samples);
  const certain = `${(100 * interval.confidence).toFixed(1)} %`;
  results.push(
    { name: `${name}: before`, unit: "tokens/s", value: spreadOf(before.rates[kind]) },
    { name: `${name}: after`, unit: "tokens/s", value: spreadOf(after.rates[kind]) },
    { name: `${name}: after / before`, unit: "×", value: ratio, goal: `≥ ${goal} ×` },
  );
  details.push({ name, median: ratio.median, interval });
  console.error(
    `${name}: ${ratio.median.toFixed(3)} × (${certain} interval ${interval.low.toFixed(3)}–${interval.high.toFixed(3)}, range ${ratio.low.toFixed(3)}–${ratio.high.toFixed(3)})`,
  );
}
const title = `Speed kept: ${after.commit} over ${before.commit}, in turn`;
endExperiment({ ...began, title, repetitions: rounds, results, details }, values.result);
if (details.some(({ median }) => !(median >= goal))) process.exitCode = 1;

/** Median tokens/s of each test, after a warm-up of its own. */
function bench(side, model, lengths, method) {
  const options = [...lengths, "-r", "2", "--threads", threads, "--device", "cpu"];
  const text = execFileSync(
    process.execPath,
    [side.main, "bench", model, ...options, "--sparsity", method, "-o", "json"],
    { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
  );
  const report = JSON.parse(text);
  side.commit = report.commit ?? report.hearth;
  return report.results.map(({ tokens_per_second: rate }) => rate.median);
}
