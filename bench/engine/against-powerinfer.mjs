/**
 * hearth beside PowerInfer on the same `PWRI` file: both programs in turn from the command line, round by round, the
 * same prompt, the same number of greedy tokens, each by its own clock. Needs npm run build, PowerInfer's built `main`
 * (github.com/SJTU-IPADS/PowerInfer) and a quiet machine. The model that is judged, and its Q4_0 twin (--type q4_0):
 *   npm run make-model -- pi-f16.gguf --arch llama --dim 2048 --layers 8 --ffn 8192 --heads 16 --kv-heads 4 --vocab 1024
 *     --type f16 --activation relu --active 0.1 --skew 0.7 --predictor-rank 256 --powerinfer
 *   node bench/engine/against-powerinfer.mjs PATH/main pi-f16.gguf [--threads 1,2] [--tokens 96] [--rounds 5]
 *     [--result bench/results/powerinfer-f16.json]
 * Both must begin with the same text, or nothing is measured; further on roundings part them, as the likeliest tokens of
 * random weights are nearly tied. PowerInfer's clock leaves sampling out, ours has it in. A round is thrown away first.
 */
import { spawnSync } from "node:child_process";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ratioOf, spreadOf } from "../../dist/commands/bench/statistics.js";
import { beginExperiment, endExperiment } from "./experiment.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1,2" },
    tokens: { type: "string", default: "96" },
    rounds: { type: "string", default: "5" },
    result: { type: "string" },
  },
});
const [opponent, model] = positionals;
if (model === undefined) {
  process.stderr.write("usage: node bench/engine/against-powerinfer.mjs PATH/main MODEL.gguf\n");
  process.exit(2);
}
const prompt = "abc";
/** Of three or more tokens out of 1024: no accident. */
const sameCharacters = 8;
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const threadCounts = values.threads.split(",");
const name = basename(model);

const report = await beginExperiment(
  `Decoding beside PowerInfer, both with ${name} and its predictors`,
  `node bench/engine/against-powerinfer.mjs PowerInfer/build/bin/main ${name} --threads ${values.threads} --tokens ${values.tokens} --rounds ${values.rounds}`,
);
const rounds = threadCounts.map(() => ({ ours: [], theirs: [] }));
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const [index, threads] of threadCounts.entries()) {
    const theirs = runPowerInfer(threads);
    const ours = runHearth(threads);
    mustAgree(ours, theirs);
    if (round === 0) continue;
    rounds[index].ours.push(ours.speed);
    rounds[index].theirs.push(theirs.speed);
  }
}
const measures = threadCounts.flatMap((threads, index) => {
  const { ours, theirs } = rounds[index];
  const on = `${threads} thread${threads === "1" ? "" : "s"}`;
  return [
    { name: `PowerInfer, ${on}`, unit: "tokens/s", value: spreadOf(theirs) },
    { name: `hearth, ${on}`, unit: "tokens/s", value: spreadOf(ours) },
    { name: `ratio, ${on}`, unit: "×", value: ratioOf(ours, theirs), goal: "≥ 1.3 ×" },
  ];
});
endExperiment({ ...report, repetitions: Number(values.rounds), results: measures }, values.result);

function runHearth(threads) {
  const length = ["-n", values.tokens, "--threads", threads];
  const greedy = ["--device", "cpu", "--temp", "0", "--logit-bias", "2=-inf"];
  const { stdout } = run(process.execPath, [
    main,
    "run",
    "-m",
    model,
    "--json",
    ...greedy,
    ...length,
    prompt,
  ]);
  const { text, prompt_tokens, completion_tokens, timings } = JSON.parse(stdout);
  mustBe("hearth's tokens", completion_tokens, Number(values.tokens));
  return { text, promptTokens: prompt_tokens, speed: timings.decode_tokens_per_second };
}

function runPowerInfer(threads) {
  const length = ["-n", values.tokens, "-t", threads];
  const greedy = ["--temp", "0", "--repeat-penalty", "1", "--ignore-eos", "--log-disable"];
  // Its command line leaves out the space that SentencePiece puts before a text.
  const given = ["-m", model, ...greedy, ...length, "-p", ` ${prompt}`];
  const { stdout, stderr } = run(opponent, given);
  const [, promptTokens] = /prompt eval time =.*\/ +(\d+) tokens/.exec(stderr) ?? [];
  const [, runs, speed] =
    / eval time =.*\/ +(\d+) runs.* ([\d.]+) tokens per second/.exec(stderr) ?? [];
  mustBe("PowerInfer's decoded tokens", Number(runs), Number(values.tokens) - 1);
  const text = stdout.slice(stdout.indexOf(prompt) + prompt.length);
  return { text, promptTokens: Number(promptTokens), speed: Number(speed) };
}

function run(command, given) {
  const done = spawnSync(command, given, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (done.status !== 0) throw new Error(`${command} failed: ${done.stderr.slice(-400)}`);
  return done;
}

function mustAgree(ours, theirs) {
  mustBe("prompt tokens", ours.promptTokens, theirs.promptTokens);
  const [own, other] = [ours, theirs].map(({ text }) => text.trim().slice(0, sameCharacters));
  mustBe("beginning of the text", own, other);
}

function mustBe(what, value, expected) {
  if (value !== expected) throw new Error(`${what}: ${value} is not ${expected}`);
}
