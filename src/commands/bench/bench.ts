/**
 * How fast models run here: the same way through the engine that `run` takes, several configurations in turn (round
 * by round, as machines are noisy), one warm-up round thrown away. Tests are llama-bench's: pp128, tg64.
 */
import { basename } from "node:path";
import { loadAddon } from "../../backends/cpu/addon.ts";
import { type CpuBackend, createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import {
  checkOptions,
  checkValue,
  countRule,
  functionRule,
  isRecord,
  listRule,
  type OptionRules,
  pathRule,
  textListRule,
} from "../../core/check-options.ts";
import { OptionError } from "../../core/errors.ts";
import { createRandom } from "../../core/random.ts";
import type { BytesPerSecond, Tokens } from "../../core/units.ts";
import { Engine } from "../../engine/engine.ts";
import type { EngineOptions } from "../../engine/options.ts";
import type { ModelDescription } from "../../model/describe.ts";
import { inspectModel } from "../inspect.ts";
import { type AgainstProgram, findNodeLlamaCpp, Opponent } from "./against.ts";
import type { AgainstTest } from "./against-protocol.ts";
import { checkoutCommit, describeMachine, packageVersion, physicalCores } from "./machine.ts";
import type { BenchReport, BenchResult } from "./report.ts";
import { gpuRoof } from "./roof.ts";
import { ratioOf, spreadOf } from "./statistics.ts";

export interface BenchOptions {
  readonly models: readonly string[];
  /** Each model runs with each of these. Default: one, of the engine's defaults. */
  readonly configurations?: readonly EngineOptions[];
  /** Lengths of prompts; 0 or none: no prompt is measured. Default 128. */
  readonly promptTokens?: readonly Tokens[];
  /** Lengths of answers. Default 64. */
  readonly answerTokens?: readonly Tokens[];
  /** Answers written at the same time. Default 1; speeds are those of all together. */
  readonly parallel?: readonly number[];
  /** Timed runs of each test. Default 5. */
  readonly repetitions?: number;
  /** A folder from which node-llama-cpp is found, to be measured in turn. */
  readonly againstFrom?: string;
  /** As it is to stand in the report. */
  readonly command?: string;
  readonly onRun?: (done: number, total: number) => void;
}

type Test =
  | { readonly kind: "prompt"; readonly tokens: Tokens }
  | { readonly kind: "decode"; readonly tokens: Tokens; readonly answers: number };

interface Contender {
  readonly path: string;
  readonly engine: Engine;
  readonly opponent: Opponent | undefined;
  /** Measures the roof with as many threads; undefined where the model is not on the processor. */
  readonly meter: CpuBackend | undefined;
  readonly samples: Map<Test, { readonly own: number[]; readonly other: number[] }>;
  readonly roofs: BytesPerSecond[];
  /** Of a model that is on a card as a whole. */
  readonly gpuRoof: BytesPerSecond | undefined;
}

const benchRules: OptionRules<BenchOptions> = {
  models: textListRule,
  configurations: listRule({ expected: "an object of engine options", accepts: isRecord }),
  promptTokens: listRule(countRule(0)),
  answerTokens: listRule(countRule(0)),
  parallel: listRule(countRule(1)),
  repetitions: countRule(1),
  againstFrom: pathRule,
  command: { expected: "a text", accepts: (value) => typeof value === "string" },
  onRun: functionRule,
};

/** @throws as Engine.open; DeviceError when node-llama-cpp is asked for and not installed. */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  checkOptions(options, benchRules, "bench");
  checkValue(options.models, "models", textListRule);
  const { models, configurations = [{}], repetitions = 5, onRun } = options;
  const tests = testsOf(options);
  const contextLength = Math.max(...tests.map(({ tokens }) => tokens)) + 2;
  const sequences = Math.max(...(options.parallel ?? [1]));
  const against =
    options.againstFrom === undefined ? undefined : findNodeLlamaCpp(options.againstFrom);
  const date = new Date().toISOString();
  const machine = await describeMachine();
  const contenders: Contender[] = [];
  try {
    for (const path of models) {
      for (const configuration of configurations) {
        const engineOptions = { ...configuration, contextLength, sequences };
        contenders.push(await openContender(path, engineOptions, { against, tests }));
      }
    }
    let done = 0;
    const total = (repetitions + 1) * contenders.length * tests.length;
    for (let round = 0; round <= repetitions; round++) {
      for (const contender of contenders) {
        await measureRoof(contender, round);
        for (const test of tests) {
          await measureBoth(contender, test, round);
          onRun?.(++done, total);
        }
      }
    }
    return {
      hearth_bench: 1,
      date,
      hearth: packageVersion(),
      commit: checkoutCommit(),
      machine,
      command: options.command ?? "",
      repetitions,
      results: await resultsOf(contenders, tests),
    };
  } finally {
    for (const contender of contenders) close(contender);
  }
}

function testsOf(options: BenchOptions): readonly Test[] {
  const { promptTokens = [128], answerTokens = [64], parallel = [1], models } = options;
  if (models.length === 0) throw new OptionError("models", "none", "at least one GGUF file");
  const tests: readonly Test[] = [
    ...promptTokens.map((tokens): Test => ({ kind: "prompt", tokens })),
    ...answerTokens.flatMap((tokens) =>
      parallel.map((answers): Test => ({ kind: "decode", tokens, answers })),
    ),
  ].filter(({ tokens }) => tokens > 0);
  if (tests.length > 0) return tests;
  throw new OptionError("tokens", "no test", "a prompt or an answer of at least one token");
}

async function openContender(
  path: string,
  options: EngineOptions & { readonly contextLength: Tokens },
  work: { readonly against: AgainstProgram | undefined; readonly tests: readonly Test[] },
): Promise<Contender> {
  const roof = await gpuRoof(options);
  const engine = await Engine.open(path, options);
  try {
    const isOnCpu = engine.device.startsWith("cpu");
    const { threads } = options;
    const meter =
      isOnCpu && loadAddon().kind === "loaded"
        ? createCpuBackend(threads === undefined ? {} : { threads })
        : undefined;
    const opponent =
      work.against &&
      (await Opponent.open(work.against, {
        model: path,
        threads: threads ?? meter?.threads ?? physicalCores() ?? 1,
        contextLength: options.contextLength,
        gpu: isOnCpu || options.device === "reference" ? "none" : "auto",
      }));
    const samples = new Map(work.tests.map((test) => [test, { own: [], other: [] }]));
    const onCard = engine.device.startsWith("gpu") ? roof : undefined;
    return { path, engine, opponent, meter, samples, roofs: [], gpuRoof: onCard };
  } catch (error) {
    engine.close();
    throw error;
  }
}

function close({ engine, opponent, meter }: Contender): void {
  engine.close();
  opponent?.[Symbol.dispose]();
  meter?.[Symbol.dispose]();
}

async function measureRoof({ meter, roofs }: Contender, round: number): Promise<void> {
  if (meter === undefined) return;
  const bytesPerSecond = await meter.measureRead();
  if (round > 0) roofs.push(bytesPerSecond);
}

/** Round 0 is the warm-up. Who goes first changes from round to round. */
async function measureBoth(contender: Contender, test: Test, round: number): Promise<void> {
  const { engine, opponent, samples } = contender;
  const ids = randomIds(engine.model.vocabulary, test, round);
  const measureOwn = async (): Promise<number> => runOnce(engine, test, ids);
  const isAlone = opponent === undefined || !isComparable(test);
  const measureOther = async (): Promise<number> =>
    isAlone ? Number.NaN : opponent.measure(againstTest(test, ids));
  let own = Number.NaN;
  let other = Number.NaN;
  if (round % 2 === 0) {
    own = await measureOwn();
    other = await measureOther();
  } else {
    other = await measureOther();
    own = await measureOwn();
  }
  if (round === 0) return;
  samples.get(test)?.own.push(own);
  if (!isAlone) samples.get(test)?.other.push(other);
}

/** The other side writes one answer at a time. */
function isComparable(test: Test): boolean {
  return test.kind === "prompt" || test.answers === 1;
}

/** Other ids in every round, so that the cache never holds the beginning of a prompt. */
function randomIds(vocabulary: number, test: Test, round: number): readonly number[] {
  const random = createRandom(round + 1);
  const count = test.kind === "prompt" ? test.tokens : 1;
  // The first few ids of a vocabulary are often control tokens; a random text has none.
  const first = Math.min(16, vocabulary - 1);
  return Array.from({ length: count }, () => first + random.integer(vocabulary - first));
}

async function runOnce(engine: Engine, test: Test, ids: readonly number[]): Promise<number> {
  const sampling = { ignoreEos: true, seed: 1 };
  if (test.kind === "prompt") {
    const { timings } = await engine.generate(ids, { maxTokens: 1, ...sampling }).result;
    return timings.promptTokensPerSecond;
  }
  // Each begins with a token of its own; their first tokens come from one step, and so do all others.
  const answers = Array.from({ length: test.answers }, (_, i) => {
    const first = ((ids[0] ?? 0) + i) % engine.model.vocabulary;
    return engine.generate([first], { maxTokens: test.tokens + 1, ...sampling }).result;
  });
  const results = await Promise.all(answers);
  const slowest = Math.max(...results.map(({ timings }) => timings.decodeMilliseconds));
  return (1000 * test.tokens * test.answers) / slowest;
}

function againstTest(test: Test, ids: readonly number[]): AgainstTest {
  if (test.kind === "prompt") return { kind: "prompt", ids };
  return { kind: "decode", first: ids[0] ?? 0, tokens: test.tokens };
}

async function resultsOf(
  contenders: readonly Contender[],
  tests: readonly Test[],
): Promise<readonly BenchResult[]> {
  const results: BenchResult[] = [];
  for (const contender of contenders) {
    const { hybrid } = await contender.engine.report();
    const gpuShare = hybrid && { gpu_share: hybrid.gpuActivationShare };
    for (const test of tests) results.push({ ...resultOf(contender, test), ...gpuShare });
  }
  return results;
}

function resultOf(contender: Contender, test: Test): BenchResult {
  const { path, engine, opponent, samples } = contender;
  const { own = [], other = [] } = samples.get(test) ?? {};
  const rates = spreadOf(own);
  const { sparsity } = engine;
  const isSparse = sparsity.method !== "dense";
  return {
    model: basename(path),
    parameters: engine.model.parameters,
    file_bytes: inspectModel(path).fileBytes,
    quant: engine.model.types[0]?.type ?? "unknown",
    test: nameOf(test),
    device: engine.device,
    sparsity: sparsity.method,
    tokens_per_second: rates,
    ...(test.kind === "decode" && test.answers === 1 && traffic(contender, rates.median)),
    ...(isSparse && { active_share: sparsity.activeShare }),
    ...(opponent &&
      isComparable(test) && {
        against: {
          program: opponent.name,
          tokens_per_second: spreadOf(other),
          ratio: ratioOf(own, other),
        },
      }),
  };
}

/** As llama-bench names them; "tg64x4" writes four answers at once. */
function nameOf(test: Test): string {
  if (test.kind === "prompt") return `pp${test.tokens}`;
  return `tg${test.tokens}${test.answers === 1 ? "" : `x${test.answers}`}`;
}

function traffic(
  { engine, roofs, gpuRoof: cardRoof }: Contender,
  tokensPerSecond: number,
): Pick<BenchResult, "bytes_per_token" | "bytes_per_second" | "roof_bytes_per_second"> {
  const { method, ...sparsity } = engine.sparsity;
  const roof = roofs.length > 0 ? spreadOf(roofs).median : cardRoof;
  const perToken = weightBytesPerToken(engine.model, method === "dense" ? undefined : sparsity);
  return {
    bytes_per_token: perToken,
    bytes_per_second: perToken * tokensPerSecond,
    ...(roof !== undefined && { roof_bytes_per_second: roof }),
  };
}

/** All weights that one token reads: every layer and the output; of the embedding a row only, unless it is the output. */
function weightBytesPerToken(
  { layers, output, tied, embedding }: ModelDescription,
  sparsity: Pick<Engine["sparsity"], "bytesTouchedPerToken" | "bytesDensePerToken"> | undefined,
): number {
  const all = layers.reduce((sum, layer) => sum + layer.attention + layer.norms + layer.ffn, 0);
  const { bytesTouchedPerToken = 0, bytesDensePerToken = 0 } = sparsity ?? {};
  const spared = bytesDensePerToken - bytesTouchedPerToken;
  return all - spared + output + (tied ? embedding : 0);
}
