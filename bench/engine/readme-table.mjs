/**
 * What README's table is made of: hearth and native llama.cpp in turn, one file after the other.
 *   node bench/engine/readme-table.mjs FOLDER LLAMA-BENCH [--rounds 5] [--threads 2] [--prompt 128] [--answer 48]
 *     [--node-llama-cpp FOLDER] [--results bench/results/readme] [--tiny]
 *     [--types Q2_K,IQ4_XS --llama-quantize LLAMA-QUANTIZE]
 * Makes the models (8 GB) in FOLDER, which lies outside the checkout, unless they are there: eight layers of a 7B
 * Llama in F16, Q8_0, Q4_0 and Q4_K_M, dense; and a ReLU stand-in in Q4_0 with predictors, dense and sparse, beside
 * its twin without them, as llama.cpp loads no predictors. LLAMA-BENCH is a path, or a command in quotes. --node-
 * llama-cpp measures that too, from where it is installed. --tiny tries the script with small models. Then: npm run
 * results-table. Needs npm run build and a quiet machine, about 15 minutes of it.
 * --types measures the Llama in those types instead, all matrices alike, as llama-quantize writes them, and saves to
 * bench/results: three minutes for each type, and several more to make it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    prompt: { type: "string", default: "128" },
    answer: { type: "string", default: "48" },
    "node-llama-cpp": { type: "string" },
    results: { type: "string" },
    types: { type: "string" },
    "llama-quantize": { type: "string" },
    tiny: { type: "boolean", default: false },
  },
});
const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "dist/cli/main.js");
const makeModel = join(root, "build/tools/tools/make-model.js");
const [folder, llamaBench] = judged(positionals);
const results = resolve(
  values.results ?? (values.types === undefined ? "bench/results/readme" : "bench/results"),
);

const llama = values.tiny
  ? { name: "tiny", shape: shape(256, 4, 1024, 4, 2, 512) }
  : { name: "llama-4096", shape: shape(4096, 8, 11008, 32, 8, 32000) };
const relu = values.tiny
  ? { name: "tiny-relu", shape: shape(256, 4, 1024, 4, 2, 512), rank: "64" }
  : { name: "relu-0.5b", shape: shape(2048, 8, 8192, 16, 4, 1024), rank: "256" };
const twin = `${relu.name}-twin-q4_0.gguf`;
const arranged = ["--activation", "relu", "--active", "0.1", "--skew", "0.7"];

run("npx", ["tsc", "-p", "tsconfig.tools.json"], root);
mkdirSync(folder, { recursive: true });
mkdirSync(results, { recursive: true });
const reports = [];

make(`${llama.name}-f16.gguf`, llama.shape);
if (values.types === undefined) measureTable();
else for (const type of values.types.split(",")) measureType(type);

// All at once, at the end: a file that is not committed makes the checkout a dirty one in the next report.
for (const { name, report } of reports) {
  writeFileSync(join(results, `${name}.json`), `${JSON.stringify(report, undefined, 2)}\n`);
}

/** The rows of README's table. */
function measureTable() {
  for (const type of ["Q8_0", "Q4_0", "Q4_K_M"]) quantize(llama.name, type);
  make(`${relu.name}-f16.gguf`, [...relu.shape, ...arranged, "--predictor-rank", relu.rank]);
  make(`${relu.name}-twin-f16.gguf`, [...relu.shape, ...arranged]);
  quantize(relu.name, "Q4_0");
  quantize(`${relu.name}-twin`, "Q4_0");

  for (const type of ["f16", "q8_0", "q4_0", "q4_k_m"]) {
    measure({ name: `${llama.name}-${type}`, sparsity: "dense", command: [], hasWrapper: true });
  }
  const script = join(root, "bench/engine/llama-bench-twin.mjs");
  measure({
    name: `${relu.name}-q4_0`,
    sparsity: "dense,gate,mlp",
    command: [process.execPath, script, join(folder, twin)],
    hasWrapper: false,
  });
}

/** One type of weights, every matrix in it: what llama-quantize calls pure. */
function measureType(type) {
  const name = `${llama.name}-${type.toLowerCase()}`;
  if (!existsSync(join(folder, `${name}.gguf`))) {
    console.error(`making ${name}.gguf`);
    const [program, ...before] = values["llama-quantize"].split(" ");
    // MXFP4 and its like are no types of files, only of tensors.
    const asked = ["--pure", "--tensor-type", `.*=${type.toLowerCase()}`];
    run(program, [...before, ...asked, `${llama.name}-f16.gguf`, "part.gguf", "Q4_0"]);
    renameSync(join(folder, "part.gguf"), join(folder, `${name}.gguf`));
  }
  measure({ name, sparsity: "dense", command: [], hasWrapper: false });
}

function judged([models, program, ...others]) {
  if (program === undefined || others.length > 0) {
    console.error("usage: node bench/engine/readme-table.mjs FOLDER LLAMA-BENCH [options]");
    process.exit(2);
  }
  if ((values.types === undefined) !== (values["llama-quantize"] === undefined)) {
    console.error("--types and --llama-quantize go together: llama-quantize makes the models");
    process.exit(2);
  }
  const path = resolve(models);
  const isInside = !relative(root, path).startsWith("..");
  // A command is split at its spaces; gigabytes do not belong into a checkout.
  if (isInside || /\s/.test(path + root)) {
    console.error(`${path}: expected a folder outside the checkout, and no spaces in either path`);
    process.exit(2);
  }
  return [path, program];
}

function shape(dim, layers, ffn, heads, keyHeads, vocabulary) {
  const sizes = { dim, layers, ffn, heads, "kv-heads": keyHeads, vocab: vocabulary };
  return Object.entries(sizes).flatMap(([name, size]) => [`--${name}`, `${size}`]);
}

function make(file, options) {
  if (existsSync(join(folder, file))) return;
  console.error(`making ${file}`);
  // Under its name only when it is whole.
  run(process.execPath, [makeModel, "part.gguf", "--type", "f16", ...options]);
  renameSync(join(folder, "part.gguf"), join(folder, file));
}

function quantize(name, type) {
  const file = `${name}-${type.toLowerCase()}.gguf`;
  if (existsSync(join(folder, file))) return;
  console.error(`making ${file}`);
  run(process.execPath, [main, "quantize", `${name}-f16.gguf`, "part.gguf", type]);
  renameSync(join(folder, "part.gguf"), join(folder, file));
}

/** `command` comes before llama-bench's own. What is saved names no path of this machine. */
function measure({ name, sparsity, command, hasWrapper }) {
  console.error(`measuring ${name}`);
  const { prompt, answer, rounds, threads } = values;
  const lengths = ["-p", prompt, "-n", answer, "-r", rounds, "--threads", threads];
  const given = [`${name}.gguf`, ...lengths, "--device", "cpu", "--sparsity", sparsity];
  const against = [...command, llamaBench].join(" ");
  const wrapper = hasWrapper ? values["node-llama-cpp"] : undefined;
  const from = wrapper === undefined ? [] : ["--against-from", resolve(wrapper)];
  const beside = ["--against-llama-bench", against, ...from];
  const asked = [main, "bench", ...given, ...beside, "-o", "json"];
  const { status, stdout } = spawnSync(process.execPath, asked, {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) process.exit(status ?? 1);
  const shown =
    command.length === 0
      ? "llama-bench"
      : `"node bench/engine/llama-bench-twin.mjs ${twin} llama-bench"`;
  const shownFrom = from.length === 0 ? "" : " --against";
  const report = {
    ...JSON.parse(stdout),
    command: `hearth bench ${given.join(" ")} --against-llama-bench ${shown}${shownFrom}`,
  };
  reports.push({ name, report });
  for (const { test, sparsity: method, against_llama_bench: native } of report.results) {
    const { median, low, high } = native.ratio;
    const range = `${low.toFixed(2)}–${high.toFixed(2)}`;
    console.error(`  ${method} ${test}: ${median.toFixed(2)} (${range}) of ${native.program}`);
  }
}

function run(program, args, cwd = folder) {
  const { status, error } = spawnSync(program, args, { cwd, stdio: ["ignore", 2, 2] });
  if (status === 0) return;
  console.error(`${program} ${args.join(" ")}: ${error?.message ?? `code ${status}`}`);
  process.exit(1);
}
