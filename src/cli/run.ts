/** `hearth run`: continue a prompt, once. */

import type { Command } from "commander";
import { counted } from "../core/counted.ts";
import { visibleLines, visibleText } from "../core/visible-text.ts";
import {
  checkGenerateOptions,
  DeviceError,
  type Engine,
  type EngineReport,
  FormError,
  type GenerateOptions,
  type GenerationResult,
} from "../index.ts";
import { bundledRemark } from "./bundled-model.ts";
import { deviceJson, deviceText } from "./device-report.ts";
import { addFormOptions, type FormFlags, formOptions } from "./form-options.ts";
import { readInput, readStdin } from "./input-text.ts";
import { interruptedExitCode } from "./interrupt.ts";
import {
  addAnswerOptions,
  addEngineOptions,
  addSamplingOptions,
  closeEngine,
  type EngineFlags,
  generateOptions,
  modelOption,
  openEngine,
  type SamplingFlags,
} from "./model-options.ts";
import { printJson, say } from "./output.ts";
import { checkOutputFile, writeOutput } from "./output-file.ts";
import { createBar } from "./progress.ts";
import { sparsityJson, sparsityText } from "./sparsity-report.ts";
import { answerWriter } from "./terminal-text.ts";
import { showRemarks } from "./voice.ts";

interface RunFlags extends EngineFlags, SamplingFlags, FormFlags {
  readonly model: string;
  readonly json?: true;
  readonly special?: true;
  readonly prompt?: string;
  readonly file?: string;
  readonly stats?: true;
  readonly timeline?: string;
}

const examples = `
Examples:
  $ hearth run "Once upon a time"                     the bundled model
  $ hearth run -m model.gguf -n 200 --temp 0 "Hello"  another model, greedy
  $ hearth run -m model.gguf -f notes.txt             the prompt from a file, or from a pipe
  $ hearth run -m model.gguf "" --json                from BOS alone, one JSON object
  $ hearth run --regex "(yes|no)" "Is it raining? "   an answer of a promised form; so --schema, --grammar`;

/** Characters: the name of a card is part of it. */
const maxSummary = 1000;

export function addRunCommand(program: Command): void {
  const command = program
    .command("run")
    .description("continue a prompt")
    .usage("[options] [model] [prompt]")
    .argument("[prompt]", 'the text to continue; "" is the begin token alone; default: stdin')
    .addOption(modelOption())
    .option("-p, --prompt <text>", "the text to continue (default: the argument)")
    .option("-f, --file <text>", "the text to continue, from a file; - is stdin (default: none)")
    .option("--json", "print one JSON object instead of text")
    .option("--stats", "say how the model runs and what sparsity did: neurons computed, bytes read")
    .option(
      "--timeline <file>",
      "write a timeline of both devices (device hybrid; opens in Perfetto; default: none)",
    )
    .option("--special", "control tokens written out in the prompt become those tokens")
    .addHelpText("after", examples);
  addFormOptions(addSamplingOptions(addAnswerOptions(addEngineOptions(command)))).action(run);
}

async function run(argument: string | undefined, flags: RunFlags, command: Command): Promise<void> {
  // Before the model is loaded, which may take a while: what was asked for, and where it is to go.
  const options = { ...generateOptions(flags), ...formOptions(flags) };
  checkGenerateOptions(options);
  const prompt = readPrompt([argument, flags.prompt], flags.file, command);
  checkOutputFile(flags.timeline, "--timeline");
  const engine = await openEngine(flags.model, flags, { timeline: flags.timeline !== undefined });
  try {
    const result = await writeOrBeginAnew(engine, prompt, { ...flags, options });
    const report = await engine.report();
    const json = { ...asJson(engine, result), ...deviceJson(report) };
    if (flags.json) printJson(json);
    else showSummary(engine, result, flags);
    if (flags.stats) showStats(engine, report);
    if (report.hybrid?.notice && !flags.quiet) say(report.hybrid.notice);
    if (result.finishReason === "abort") process.exitCode = interruptedExitCode;
    if (flags.timeline !== undefined) {
      await writeOutput(flags.timeline, await engine.timeline());
    }
  } finally {
    await closeEngine(engine, flags);
  }
}

function showSummary(engine: Engine, result: GenerationResult, flags: RunFlags): void {
  if (flags.quiet) {
    process.stdout.write("\n");
    return;
  }
  process.stderr.write(`\n${visibleText(summary(engine, result), maxSummary)}\n`);
  const remark = bundledRemark(flags.model, engine, "run");
  if (remark !== undefined) say(remark);
}

function showStats(engine: Engine, report: EngineReport): void {
  const lines = [sparsityText(engine.sparsity), deviceText(report)].filter((text) => text !== "");
  process.stderr.write(`${visibleLines(lines.join("\n"))}\n`);
}

type AnswerUse = RunFlags & { readonly options: GenerateOptions };

/** Where the card is lost and the CPU was chosen for that case, the answer begins anew there. */
async function writeOrBeginAnew(
  engine: Engine,
  prompt: string | Uint8Array,
  use: AnswerUse,
): Promise<GenerationResult> {
  try {
    return await writeAnswer(engine, prompt, use);
  } catch (error) {
    if (!(error instanceof DeviceError) || use.onDeviceLost !== "cpu") throw error;
    say(`the answer begins anew on the CPU: ${error.message}`);
    return await writeAnswer(engine, prompt, use);
  }
}

async function writeAnswer(
  engine: Engine,
  prompt: string | Uint8Array,
  use: AnswerUse,
): Promise<GenerationResult> {
  const bar = createBar("reading the prompt", "tokens", use);
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  process.once("SIGINT", onInterrupt);
  try {
    const generation = engine.generate(prompt, {
      ...use.options,
      parseSpecial: use.special ?? false,
      signal: stop.signal,
      onPromptProgress: (done, total) => bar.update(done, total),
    });
    // Only now: a prompt or an option that was refused is said in one line.
    showRemarks(engine, use.stats ? { ...use, verbose: true } : use);
    const write = answerWriter();
    for await (const { text } of generation) {
      bar.stop();
      if (!use.json) write(text);
    }
    const result = await generation.result;
    if (hasForm(use.options)) {
      await generation.value.catch((error: unknown) => sayUnfinished(error, use));
    }
    return result;
  } finally {
    bar.stop();
    process.off("SIGINT", onInterrupt);
  }
}

function hasForm({ schema, regex, grammar }: GenerateOptions): boolean {
  return schema !== undefined || regex !== undefined || grammar !== undefined;
}

/** The text was shown, and is no answer of the form that was asked for. */
function sayUnfinished(error: unknown, { json }: Pick<RunFlags, "json">): void {
  if (!(error instanceof FormError)) throw error;
  if (json !== true) process.stdout.write("\n");
  say(error.message);
  process.exitCode = 1;
}

function readPrompt(
  texts: readonly (string | undefined)[],
  file: string | undefined,
  command: Command,
): string | Uint8Array {
  const [argument, ...others] = texts.filter((text) => text !== undefined);
  if (others.length > 0) command.error("give one prompt, as an argument or with --prompt");
  if (argument !== undefined && file !== undefined) {
    command.error("give a prompt or --file, not both");
  }
  if (argument !== undefined) return argument;
  if (file !== undefined) return readInput(file);
  if (process.stdin.isTTY)
    command.error('no prompt; say one, as in: hearth run "Once upon a time"');
  return readStdin();
}

function asJson(engine: Engine, result: GenerationResult): object {
  const { timings } = result;
  return {
    text: result.text,
    tokens: result.tokens,
    prompt_tokens: result.promptTokens,
    completion_tokens: result.completionTokens,
    finish_reason: result.finishReason,
    seed: result.seed,
    device: engine.device,
    timings: {
      load_ms: engine.loadMilliseconds,
      prompt_ms: timings.promptMilliseconds,
      decode_ms: timings.decodeMilliseconds,
      prompt_tokens_per_second: timings.promptTokensPerSecond,
      decode_tokens_per_second: timings.decodeTokensPerSecond,
    },
    sparsity: sparsityJson(engine.sparsity),
  };
}

/** "prompt 7 tokens, 512.3 tok/s; answer 48 tokens, 98.7 tok/s; cpu (avx512, 2 threads)" */
function summary(engine: Engine, result: GenerationResult): string {
  const { promptTokens, completionTokens, timings } = result;
  const prompt = `prompt ${counted(promptTokens, "token")}, ${timings.promptTokensPerSecond.toFixed(1)} tok/s`;
  const answer = `answer ${counted(completionTokens, "token")}, ${timings.decodeTokensPerSecond.toFixed(1)} tok/s`;
  return `[${prompt}; ${answer}; ${engine.device}]`;
}
