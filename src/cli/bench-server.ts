/** `hearth bench --server`: how fast a server answers, as its clients see it. */
import type { Command } from "commander";
import { defined } from "../core/defined.ts";
import {
  benchServer,
  OptionError,
  type Percentiles,
  type ServerBenchReport,
  type ServerBenchResult,
  type Spread,
} from "../index.ts";
import { heading } from "./bench-output.ts";
import { nameList, numberList, positiveNumber } from "./option-values.ts";
import { print, printJson } from "./output.ts";
import { checkOutputFile, writeOutput } from "./output-file.ts";
import { createBar } from "./progress.ts";

export interface ServerBenchFlags {
  readonly server?: true | readonly string[];
  readonly clients?: readonly number[];
  readonly slots?: number;
  readonly againstLlamaServer?: string;
  readonly apiKey?: string;
  readonly modelName?: string;
  readonly promptTokens: readonly number[];
  readonly answerTokens: readonly number[];
  readonly repetitions: number;
  readonly threads?: readonly number[];
  readonly output: string;
  readonly json?: true;
  readonly save?: string;
}

export const serverExamples = `
--server measures over HTTP, as clients see it: the time to the first token and between tokens, for 1 to 64 clients at once. With
addresses it asks servers that run already (any that speaks OpenAI's chats); with a model it starts hearth serve.

  $ hearth bench model.gguf --server --against-llama-server llama-server
  $ hearth bench --server http://127.0.0.1:8080 --clients 1,8 -n 128`;

export function addServerBenchOptions(command: Command): void {
  command
    .option(
      "--server [urls]",
      "measure servers, by address, or one that serves the model",
      nameList,
    )
    .option("--clients <n,…>", "with --server: requests at once (default: 1,4,16,64)", numberList)
    .option(
      "--slots <n>",
      "with --server: answers that it writes at the same time (default: as many as clients, 16 at most)",
      positiveNumber,
    )
    .option(
      "--against-llama-server <command>",
      "with --server: start llama.cpp's server too and measure it in turn (default: none)",
    )
    .option("--api-key <key>", "with --server: sent to servers that run already (default: none)")
    .option("--model-name <name>", "with --server: where they have several models (default: any)");
}

/** What only a server has. @throws OptionError */
export function refuseServerFlags(flags: ServerBenchFlags): void {
  const { clients, slots, againstLlamaServer, apiKey, modelName } = flags;
  const given = Object.entries({ clients, slots, againstLlamaServer, apiKey, modelName });
  const found = given.find(([, value]) => value !== undefined);
  if (found !== undefined) throw new OptionError(found[0], "given without --server", "--server");
}

export async function runServerBench(
  models: readonly string[],
  flags: ServerBenchFlags,
): Promise<void> {
  checkOutputFile(flags.save, "--save");
  const [model, another] = models;
  if (another !== undefined) throw new OptionError("models", "several with --server", "one model");
  const bar = createBar("measuring", "runs");
  try {
    const { clients, slots, againstLlamaServer, apiKey, modelName, threads } = flags;
    const report = await benchServer({
      ...defined({ model, clients, slots, againstLlamaServer, apiKey, modelName }),
      ...(Array.isArray(flags.server) && { urls: flags.server }),
      ...(threads !== undefined && { threads: oneOf(threads, "threads") }),
      promptTokens: oneOf(flags.promptTokens, "promptTokens"),
      answerTokens: oneOf(flags.answerTokens, "answerTokens"),
      repetitions: flags.repetitions,
      command: `hearth ${process.argv.slice(2).join(" ")}`,
      onRun: (done, total) => bar.update(done, total),
    });
    bar.stop();
    if (flags.save !== undefined) {
      await writeOutput(flags.save, `${JSON.stringify(report, undefined, 2)}\n`);
    }
    if (flags.json || flags.output === "json") printJson(report);
    else print(asTable(report));
  } finally {
    bar.stop();
  }
}

function oneOf(values: readonly number[], option: string): number {
  const [value, another] = values;
  if (value !== undefined && another === undefined) return value;
  throw new OptionError(option, values.join(","), "one number, with --server");
}

function asTable(report: ServerBenchReport): string {
  const titles = [
    "clients",
    "server",
    "first token p50",
    "p99",
    "between tokens p50",
    "p99",
    "tokens/s",
    "hearth by it",
    "refused",
  ];
  const hasRatio = report.results.some(({ ratio }) => ratio !== undefined);
  const line = (cells: readonly string[]): string =>
    `| ${cells.filter((_, i) => i !== 7 || hasRatio).join(" | ")} |`;
  const { model, slots, prompt_words: prompt, answer_tokens: answer } = report;
  const served = model === null ? "" : `, ${model} with ${slots} slots`;
  return [
    heading(
      report,
      `prompts of ${prompt} words, answers of ${answer} tokens${served}; all answers`,
    ),
    "",
    line(titles),
    line(titles.map(() => "---")),
    ...report.results.map((result) => line(cellsOf(result))),
  ].join("\n");
}

function cellsOf(result: ServerBenchResult): readonly string[] {
  const { clients, server, refused, refusal, ratio } = result;
  return [
    String(clients),
    server,
    ...percentiles(result.first_token),
    ...percentiles(result.between_tokens),
    spread(result.tokens_per_second, 1),
    ratio === undefined ? "" : spread(ratio, 2),
    refusal === undefined ? "0" : `${refused} (${refusal})`,
  ];
}

/** Milliseconds. */
function percentiles({ p50, p99 }: Percentiles): readonly string[] {
  return [p50, p99].map((value) => (Number.isNaN(value) ? "–" : `${value.toFixed(1)} ms`));
}

function spread({ median, low, high }: Spread, digits: number): string {
  const [middle, least, most] = [median, low, high].map((value) => value.toFixed(digits));
  return `${middle} (${least}–${most})`;
}
