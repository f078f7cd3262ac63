/**
 * How fast a server answers, as its clients see it: time to the first token and between tokens, for 1 to 64 of them at once.
 * Two servers are measured in turn, round by round; one round before them is thrown away.
 */
import { basename } from "node:path";
import {
  checkOptions,
  countRule,
  functionRule,
  listRule,
  type OptionRules,
  pathRule,
  textRule,
} from "../../../core/check-options.ts";
import { defined } from "../../../core/defined.ts";
import { DeviceError, OptionError } from "../../../core/errors.ts";
import { quantile } from "../../../core/numbers.ts";
import type { Milliseconds, Tokens } from "../../../core/units.ts";
import { ownVersion } from "../../../core/version.ts";
import { checkoutCommit, describeMachine } from "../machine.ts";
import { ratioOf, spreadOf } from "../statistics.ts";
import { type Load, type LoadResult, runLoad } from "./load.ts";
import type { Percentiles, ServerBenchReport, ServerBenchResult } from "./report.ts";
import {
  type RunningServer,
  type ServerSettings,
  startHearth,
  startLlamaServer,
} from "./server-process.ts";
import { RefusedAnswer } from "./streamed-answer.ts";

export interface ServerBenchOptions {
  /** Servers that run already, by their addresses: "http://127.0.0.1:8080". The first is what others are compared with. */
  readonly urls?: readonly string[];
  /** Without `urls`: the GGUF file that servers are started with. */
  readonly model?: string;
  /** llama.cpp's llama-server, to be started with the same file, slots and threads: its path, or a command. */
  readonly againstLlamaServer?: string;
  /** Requests at the same time. Default 1, 4, 16, 64. */
  readonly clients?: readonly number[];
  /** Words of each prompt, of which most are one token. Default 128. */
  readonly promptTokens?: Tokens;
  /** Default 64. */
  readonly answerTokens?: Tokens;
  /** Timed rounds. Default 3. */
  readonly repetitions?: number;
  /** Answers that a started server writes at the same time. Default: the largest of `clients`, 16 at most. */
  readonly slots?: number;
  /** Of a started server. Default: its own. */
  readonly threads?: number;
  /** Sent to servers that run already. */
  readonly apiKey?: string;
  /** The name of a model, where they have several. */
  readonly modelName?: string;
  /** The command line to print in the report. */
  readonly command?: string;
  readonly onRun?: (done: number, total: number) => void;
}

const addressRule = {
  expected: "an address such as http://127.0.0.1:8080",
  accepts: (value: unknown): boolean => typeof value === "string" && /^https?:\/\/[^/]/.test(value),
};

const rules: OptionRules<ServerBenchOptions> = {
  urls: listRule(addressRule),
  model: pathRule,
  againstLlamaServer: textRule,
  clients: listRule(countRule(1, 1024)),
  promptTokens: countRule(1, 1_000_000),
  answerTokens: countRule(2, 1_000_000),
  repetitions: countRule(1),
  slots: countRule(1, 1024),
  threads: countRule(1),
  apiKey: textRule,
  modelName: textRule,
  command: { expected: "a text", accepts: (value) => typeof value === "string" },
  onRun: functionRule,
};

/** A machine that keeps more answers going at once is rare, and memory for the cache of 64 is not always there. */
const mostSlots = 16;
/** Of a word, at most: most vocabularies have one for each, small and made ones spell it in pieces. */
const tokensOfWord = 4;
/** What a template writes around a question. */
const templateTokens: Tokens = 64;

/** @throws OptionError; DeviceError for a server that does not come up, does not answer, or refuses all */
export async function benchServer(options: ServerBenchOptions): Promise<ServerBenchReport> {
  checkOptions(options, rules, "benchServer");
  const { urls = [], model, repetitions = 3, onRun, command = "" } = options;
  const { clients = [1, 4, 16, 64], promptTokens = 128, answerTokens = 64 } = options;
  if ((urls.length === 0) === (model === undefined)) {
    const found = model === undefined ? "neither a server nor a model" : "a model beside a server";
    throw new OptionError(
      "server",
      found,
      "addresses of servers that run, or a GGUF file to serve",
    );
  }
  const slots = options.slots ?? Math.min(mostSlots, Math.max(...clients));
  const date = new Date().toISOString();
  const machine = await describeMachine();
  await using started = await startAll(options, slots);
  const sides = started.sides.map((side) => ({
    ...side,
    ignoresEnd: true,
    rounds: new Map<number, LoadResult[]>(),
  }));
  const load = { promptTokens, answerTokens, ...defined({ apiKey: options.apiKey }) };
  const question = { ...load, apiKey: options.apiKey, model: options.modelName };
  for (const side of sides) side.ignoresEnd = await takesIgnoreEnd(side.url, question);
  let done = 0;
  const total = (repetitions + 1) * sides.length * clients.length;
  for (let round = 0; round <= repetitions; round++) {
    for (const count of clients) {
      for (const { name, url, ignoresEnd, rounds } of sides) {
        const result = await runNamed(name, {
          ...question,
          url,
          ignoresEnd,
          clients: count,
          seed: round,
        });
        if (round > 0) rounds.set(count, [...(rounds.get(count) ?? []), result]);
        onRun?.(++done, total);
      }
    }
  }
  const [first] = sides;
  return {
    hearth_server_bench: 1,
    date,
    hearth: ownVersion(),
    commit: checkoutCommit(),
    machine,
    command,
    model: model === undefined ? null : basename(model),
    slots: model === undefined ? null : slots,
    repetitions,
    prompt_words: promptTokens,
    answer_tokens: answerTokens,
    results: clients.flatMap((count) =>
      sides.map((side) =>
        resultOf(side.name, count, {
          rounds: side.rounds.get(count) ?? [],
          baseline: side === first ? undefined : first?.rounds.get(count),
        }),
      ),
    ),
  };
}

interface Side {
  readonly name: string;
  readonly url: string;
}

interface Started extends AsyncDisposable {
  readonly sides: readonly Side[];
}

async function startAll(
  { urls = [], model, againstLlamaServer, threads, ...lengths }: ServerBenchOptions,
  slots: number,
): Promise<Started> {
  const { promptTokens = 128, answerTokens = 64 } = lengths;
  const running: RunningServer[] = [];
  const sides: Side[] = urls.map((url) => ({ name: url, url: url.replace(/\/+$/, "") }));
  const end = async (): Promise<void> => {
    await Promise.all(running.map((one) => one[Symbol.asyncDispose]()));
  };
  try {
    const contextLength = tokensOfWord * promptTokens + templateTokens + answerTokens;
    const settings = (path: string): ServerSettings => ({
      model: path,
      threads,
      slots,
      contextLength,
    });
    if (model !== undefined) {
      const server = await startHearth(settings(model));
      running.push(server);
      sides.push({ name: "hearth", url: server.url });
    }
    if (model !== undefined && againstLlamaServer !== undefined) {
      const server = await startLlamaServer(againstLlamaServer, settings(model));
      running.push(server);
      sides.push({ name: "llama-server", url: server.url });
    }
    return { sides, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

type Question = Omit<Load, "url" | "ignoresEnd" | "clients" | "seed">;

/** Whether the server takes `ignore_eos`: OpenAI's own refuses fields that it does not know. */
async function takesIgnoreEnd(url: string, question: Question): Promise<boolean> {
  for (const ignoresEnd of [true, false]) {
    const { refusals } = await runNamed(url, {
      ...question,
      answerTokens: 2,
      url,
      ignoresEnd,
      clients: 1,
      seed: -1,
    });
    const [refusal] = refusals;
    if (refusal === undefined) return ignoresEnd;
    if (!ignoresEnd || !/^4\d\d/.test(refusal))
      throw new DeviceError(`${url} answers with ${refusal}`);
  }
  return false;
}

async function runNamed(name: string, load: Load): Promise<LoadResult> {
  try {
    return await runLoad(load);
  } catch (error) {
    if (error instanceof RefusedAnswer) throw error;
    const reason =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new DeviceError(`${name} does not answer at ${load.url}: ${reason}`);
  }
}

function resultOf(
  server: string,
  clients: number,
  {
    rounds,
    baseline,
  }: {
    readonly rounds: readonly LoadResult[];
    readonly baseline: readonly LoadResult[] | undefined;
  },
): ServerBenchResult {
  const answers = rounds.flatMap((round) => round.answers);
  const refusals = rounds.flatMap((round) => round.refusals);
  const [refusal] = refusals;
  const rates = rounds.map(({ tokensPerSecond }) => tokensPerSecond);
  const read = answers
    .map(({ promptTokens }) => promptTokens)
    .filter((count) => count !== undefined);
  return {
    server,
    clients,
    answers: answers.length,
    refused: refusals.length,
    ...(refusal !== undefined && { refusal }),
    prompt_tokens: read.length === 0 ? null : Math.round(quantile(read.toSorted(byValue), 0.5)),
    first_token: percentiles(answers.map(({ firstMilliseconds }) => firstMilliseconds)),
    between_tokens: percentiles(answers.flatMap(({ gapMilliseconds }) => gapMilliseconds)),
    tokens_per_second: spreadOf(rates),
    ...(baseline && {
      ratio: ratioOf(
        baseline.map(({ tokensPerSecond }) => tokensPerSecond),
        rates,
      ),
    }),
  };
}

function percentiles(values: readonly Milliseconds[]): Percentiles {
  const sorted = values.toSorted(byValue);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}

function byValue(a: number, b: number): number {
  return a - b;
}
