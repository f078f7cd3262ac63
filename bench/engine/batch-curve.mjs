/**
 * Tokens a second by the number of answers that are written at once, beside native llama.cpp's llama-batched-bench, or
 * beside an older build of hearth, in turn, round by round. Needs npm run build and a quiet machine:
 *   npm run make-model -- m-q4_0.gguf --dim 4096 --layers 2 --ffn 11008 --heads 32 --kv-heads 8 --vocab 1024 --type q4_0
 *   node bench/engine/batch-curve.mjs MODEL… [--against "llama-batched-bench"] [--before FOLDER] [--answers 1,2,4,8,16,32]
 *     [--rounds 3] [--tokens 24] [--threads 2] [--result bench/results/batch-curve.json]
 * FOLDER is another checkout, built. A round of each program has a warm-up of its own.
 */
import { spawnSync } from "node:child_process";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ratioOf, spreadOf } from "../../dist/commands/bench/statistics.js";
import { beginExperiment, endExperiment } from "./experiment.mjs";

const { values, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: "string" },
    before: { type: "string" },
    answers: { type: "string", default: "1,2,4,8,16,32" },
    rounds: { type: "string", default: "3" },
    tokens: { type: "string", default: "24" },
    threads: { type: "string", default: "2" },
    result: { type: "string" },
  },
});
if (models.length === 0) {
  process.stderr.write('usage: node bench/engine/batch-curve.mjs MODEL… [--against "COMMAND"]\n');
  process.exit(2);
}
const counts = values.answers.split(",").map(Number);
const { threads, tokens } = values;
/** Of each prompt of llama-batched-bench, which has no fewer. */
const promptTokens = 8;
const here = fileURLToPath(new URL("../..", import.meta.url));

/** By name what runs, each from a model to tokens a second by the number of answers. */
const programs = new Map([["hearth", (model) => runHearth(here, model)]]);
if (values.before !== undefined) programs.set("before", (model) => runHearth(values.before, model));
if (values.against !== undefined) programs.set("llama-batched-bench", runNative);

const report = await beginExperiment(
  `Answers at once: ${models.map((model) => basename(model)).join(", ")}`,
  `node bench/engine/batch-curve.mjs ${models.map((model) => basename(model)).join(" ")} --answers ${values.answers} --rounds ${values.rounds} --tokens ${tokens} --threads ${threads}`,
);
const measures = [];
for (const model of models) measures.push(...measure(model));
endExperiment({ ...report, repetitions: Number(values.rounds), measures }, values.result);

function measure(model) {
  const speeds = new Map([...programs.keys()].map((name) => [name, counts.map(() => [])]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, run] of programs) {
      const speed = run(model);
      for (const [i, count] of counts.entries()) speeds.get(name)[i].push(speed.get(count));
    }
  }
  const own = speeds.get("hearth");
  return counts.flatMap((count, i) => {
    const what = `${basename(model, ".gguf")}, ${count} at once`;
    const others = [...speeds].filter(([name]) => name !== "hearth");
    return [
      { name: what, unit: "tokens/s", value: spreadOf(own[i]) },
      { name: `${what}, of one`, unit: "×", value: ratioOf(own[i], own[0]) },
      ...others.map(([name, each]) => ({
        name: `${what}, hearth by ${name}`,
        unit: "×",
        value: ratioOf(own[i], each[i]),
      })),
    ];
  });
}

function runHearth(folder, model) {
  const run = ["bench", model, "-p", "0", "-n", tokens, "--parallel", values.answers, "-r", "1"];
  const options = ["--threads", threads, "--device", "cpu", "--json"];
  const { results } = JSON.parse(
    output(process.execPath, [`${folder}/bin/hearth.cjs`, ...run, ...options]),
  );
  return new Map(
    results.map(({ test, tokens_per_second: { median } }) => [
      Number(/^tg\d+x(\d+)$/.exec(test)?.[1] ?? 1),
      median,
    ]),
  );
}

function runNative(model) {
  const context = Math.max(...counts) * (promptTokens + Number(tokens));
  const [program, ...first] = values.against.split(" ");
  const lengths = ["-npp", `${promptTokens}`, "-ntg", tokens, "-npl", values.answers];
  const options = ["-c", `${context}`, "-t", threads, "--output-format", "jsonl"];
  const lines = output(program, [...first, "-m", model, ...lengths, ...options]).split("\n");
  const results = lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return new Map(results.map(({ pl, speed_tg: speed }) => [pl, speed]));
}

function output(program, args) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status === 0) return stdout;
  process.stderr.write(stderr);
  process.exit(1);
}
