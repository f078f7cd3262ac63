/**
 * Proves with native llama.cpp that real models (npm run fetch-models) answer as they do there:
 *   npm run prove:real -- FOLDER [--native COMMAND] [--text FILE] [--write]
 * Each model twice: as it is, where both programs round what quantised weights multiply, each in its own way; and its
 * weights as F32 (made by llama-quantize), where nothing is rounded and hearth (--exact) must give the same numbers.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packagePath } from "../src/core/package-root.ts";
import { openGguf } from "../src/gguf/open.ts";
import { createChatTemplate } from "../src/text/chat-template.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";
import { exactCache, nativeCompletion, nativePerplexity } from "./native-llama.ts";
import { type RealModel, realModels } from "./real-models/catalogue.ts";
import {
  answersOf,
  answerTokens,
  isSame,
  perplexityOf,
  windowTokens,
} from "./real-models/measure.ts";
import { passage } from "./real-models/passage.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    native: { type: "string", default: "" },
    /** A longer text: for the file as it is, whose rounding is noise of some tenths of a per cent in a short one. */
    text: { type: "string" },
    /** Writes test/golden/real-models.json, what native llama.cpp made of the weights as F32. */
    write: { type: "boolean", default: false },
  },
});

/** Windows of the passage, and of the longer text. */
const windows = 2;
const longWindows = 32;
/** Log probabilities nearer than these may change places: rounding of f32 sums, and of inputs to bytes. */
const ties = { exact: 1e-3, rounded: 0.1 };
/** Of the perplexity. */
const mostDifference = { exact: 1e-4, rounded: 2e-3 };

interface Golden {
  readonly name: string;
  readonly perplexity: number;
  readonly answers: readonly string[];
}

const folder = positionals[0];
if (folder === undefined) {
  console.error("usage: npm run prove:real -- FOLDER [--native COMMAND] [--text FILE] [--write]");
  process.exit(2);
}
const command = (tool: string): readonly string[] => [
  ...flags.native.split(" ").filter(Boolean),
  tool,
];
const temporary = mkdtempSync(join(tmpdir(), "prove-real-"));
const golden: Golden[] = [];
let failures = 0;
try {
  for (const model of realModels) golden.push(await prove(model, join(folder, model.file)));
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
if (flags.write) {
  const path = packagePath("test/golden/real-models.json");
  writeFileSync(path, `${JSON.stringify(golden, undefined, 2)}\n`);
}
process.exitCode = failures === 0 ? 0 : 1;

async function prove(model: RealModel, path: string): Promise<Golden> {
  const floats = join(temporary, "f32.gguf");
  runNative([...command("llama-quantize"), "--allow-requantize", path, floats, "F32"]);
  const expected = await nativeOf(model, floats, { text: passage, count: windows });
  const exact = { device: "cpu", exact: true } as const;
  const found = await perplexityOf(path, passage, { ...exact, windows });
  report(`${model.name}, exact`, found, expected.perplexity, mostDifference.exact);
  const answers = await answersOf(path, model.questions, { ...exact, tie: ties.exact });
  compareAnswers(`${model.name}, exact`, answers, expected.answers);

  const text = flags.text === undefined ? passage : readFileSync(flags.text, "utf8");
  const count = flags.text === undefined ? windows : longWindows;
  const rounded = await nativeOf(model, path, { text, count });
  const asItIs = await perplexityOf(path, text, { device: "cpu", windows: count });
  const limit = flags.text === undefined ? 5 * mostDifference.rounded : mostDifference.rounded;
  report(`${model.name}, as it is`, asItIs, rounded.perplexity, limit);
  const plain = await answersOf(path, model.questions, { device: "cpu", tie: ties.rounded });
  compareAnswers(`${model.name}, as it is`, plain, rounded.answers);
  rmSync(floats);
  return { name: model.name, ...expected };
}

async function nativeOf(
  { questions }: RealModel,
  path: string,
  { text, count }: { readonly text: string; readonly count: number },
): Promise<Omit<Golden, "name">> {
  const textFile = join(temporary, "text.txt");
  writeFileSync(textFile, text);
  const perplexity = nativePerplexity({
    command: command("llama-perplexity"),
    model: path,
    text: textFile,
    contextLength: windowTokens,
    chunks: count,
    flags: exactCache,
  });
  const { metadata } = openGguf(path);
  const tokenizer = await loadTokenizer(metadata, undefined);
  const template = createChatTemplate(metadata, tokenizer);
  const answers = questions.map((question) => {
    const prompt = template.render([{ role: "user", content: question }]);
    const completion = nativeCompletion({
      command: command("llama-completion"),
      model: path,
      // Native llama.cpp puts the begin token before the prompt itself.
      prompt: prompt.replace(/^<bos>/, ""),
      tokens: answerTokens,
      contextLength: 512,
      banned: [],
    });
    const whole = completion.replace(/ ?\[end of text\]\s*$/, "");
    // A model without a chat format of its own ends its answers by a text.
    const ends = template.stopTexts.map((stop) => whole.indexOf(stop)).filter((at) => at >= 0);
    return whole.slice(0, Math.min(whole.length, ...ends));
  });
  return { perplexity, answers };
}

function runNative([program = "", ...args]: readonly string[]): void {
  const { status, error, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr.slice(-1000)}`);
}

function report(what: string, found: number, expected: number, most: number): void {
  const difference = found / expected - 1;
  const isRight = Math.abs(difference) <= most;
  if (!isRight) failures++;
  const shown = `${found.toFixed(4)}, native ${expected}, ${(100 * difference).toFixed(4)} %`;
  console.log(`${what}: perplexity ${shown}${isRight ? "" : " WRONG"}`);
}

function compareAnswers(
  what: string,
  answers: Awaited<ReturnType<typeof answersOf>>,
  expected: readonly string[],
): void {
  answers.forEach((answer, i) => {
    const wanted = expected[i] ?? "";
    const isRight = isSame(answer, wanted);
    if (!isRight) failures++;
    const tie = Number.isFinite(answer.firstTie) ? `, a tie at ${answer.firstTie}` : "";
    const other = isRight ? "" : ` WRONG, expected ${JSON.stringify(wanted)}`;
    console.log(`${what}: ${JSON.stringify(answer.text)}${tie}${other}`);
  });
}
