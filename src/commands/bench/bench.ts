/**
 * How fast models run here: the same way through the engine that `run` takes, several configurations in turn (round
 * by round, as machines are noisy), one warm-up round thrown away. Tests are llama-bench's: pp128, tg64.
 */

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
  textRule,
} from "../../core/check-options.ts";
import { OptionError } from "../../core/errors.ts";
import type { Tokens } from "../../core/units.ts";
import { ownVersion } from "../../core/version.ts";
import { engineRules, longestContext } from "../../engine/option-rules.ts";
import type { EngineOptions } from "../../engine/options.ts";
import { findNodeLlamaCpp } from "./against.ts";
import {
  type Contender,
  closeContender,
  measureRoof,
  measureSides,
  openContender,
  type Programs,
  type Test,
} from "./contender.ts";
import { findLlamaBench } from "./llama-bench.ts";
import { checkoutCommit, describeMachine } from "./machine.ts";
import type { BenchReport } from "./report.ts";
import { resultsOf } from "./results.ts";

export interface BenchOptions {
  readonly models: readonly string[];
  /** Each model runs with each of these. Default: one, of the engine's defaults. */
  readonly configurations?: readonly EngineOptions[];
  /** Lengths of prompts; 0 or none: no prompt is measured. Default 128. */
  readonly promptTokens?: readonly Tokens[];
  /** Lengths of answers. Default 64. */
  readonly answerTokens?: readonly Tokens[];
  /** Tokens in the cache, of a text before, when a prompt or an answer begins. Default 0. */
  readonly depth?: readonly Tokens[];
  /** Answers written at the same time. Default 1; speeds are those of all together. */
  readonly parallel?: readonly number[];
  /** Timed runs of each test. Default 5. */
  readonly repetitions?: number;
  /** llama.cpp's llama-bench, to be measured in turn: its path, or a command that starts it (split at spaces). */
  readonly againstLlamaBench?: string;
  /** A folder from which node-llama-cpp is found, to be measured in turn. */
  readonly againstFrom?: string;
  /** The command line to print in the report. */
  readonly command?: string;
  readonly onRun?: (done: number, total: number) => void;
}

/** Of a context, beside the tokens of a test: the token that an answer begins with, and the one that ends a prompt. */
const tokensBeside: Tokens = 2;

const benchRules: OptionRules<BenchOptions> = {
  models: textListRule,
  configurations: listRule({ expected: "an object of engine options", accepts: isRecord }),
  promptTokens: listRule(countRule(0, longestContext - tokensBeside)),
  answerTokens: listRule(countRule(0, longestContext - tokensBeside)),
  depth: listRule(countRule(0, longestContext - tokensBeside)),
  parallel: listRule(engineRules.sequences),
  repetitions: countRule(1),
  againstLlamaBench: textRule,
  againstFrom: pathRule,
  command: { expected: "a text", accepts: (value) => typeof value === "string" },
  onRun: functionRule,
};

/**
 * @throws as Engine.open; OptionError for an `againstLlamaBench` that is none; DeviceError when node-llama-cpp is asked
 * for and not installed, or when a program that is measured beside hearth fails.
 */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  checkOptions(options, benchRules, "bench");
  checkValue(options.models, "models", textListRule);
  const { models, configurations = [{}], repetitions = 5, onRun } = options;
  const tests = testsOf(options);
  const contextLength =
    Math.max(...tests.map(({ depth, tokens }) => depth + tokens)) + tokensBeside;
  const sequences = Math.max(...(options.parallel ?? [1]));
  // As `run` judges them, and each before the first model is opened.
  for (const configuration of configurations) checkOptions(configuration, engineRules, "bench");
  const programs = await findPrograms(options);
  const date = new Date().toISOString();
  const machine = await describeMachine();
  const contenders: Contender[] = [];
  try {
    for (const path of models) {
      for (const configuration of configurations) {
        // What is measured is not to change while it is: pages move before the first round.
        const engineOptions: EngineOptions & { readonly contextLength: Tokens } = {
          hugePages: "before",
          ...configuration,
          contextLength,
          sequences,
        };
        contenders.push(await openContender(path, engineOptions, { programs, tests }));
      }
    }
    let done = 0;
    const total = (repetitions + 1) * contenders.length * tests.length;
    for (let round = 0; round <= repetitions; round++) {
      for (const contender of contenders) {
        await measureRoof(contender, round);
        for (const test of tests) {
          await measureSides(contender, test, round);
          onRun?.(++done, total);
        }
      }
    }
    return {
      hearth_bench: 1,
      date,
      hearth: ownVersion(),
      commit: checkoutCommit(),
      machine,
      command: options.command ?? "",
      repetitions,
      results: await resultsOf(contenders, tests),
    };
  } finally {
    for (const contender of contenders) closeContender(contender);
  }
}

function testsOf(options: BenchOptions): readonly Test[] {
  const { promptTokens = [128], answerTokens = [64], parallel = [1], models } = options;
  const { depth: depths = [0] } = options;
  if (models.length === 0) throw new OptionError("models", "none", "at least one GGUF file");
  const tests = depths
    .flatMap((depth): readonly Test[] => [
      ...promptTokens.map((tokens): Test => ({ kind: "prompt", depth, tokens })),
      ...answerTokens.flatMap((tokens) =>
        parallel.map((answers): Test => ({ kind: "decode", depth, tokens, answers })),
      ),
    ])
    .filter(({ tokens }) => tokens > 0);
  if (tests.length === 0) {
    throw new OptionError("tokens", "no test", "a prompt or an answer of at least one token");
  }
  const longest = longestContext - tokensBeside;
  const beyond = tests.find(({ depth, tokens }) => depth + tokens > longest);
  if (beyond === undefined) return tests;
  const { depth, tokens } = beyond;
  throw new OptionError("depth", `${depth}, with ${tokens} tokens`, `at most ${longest} together`);
}

async function findPrograms(options: BenchOptions): Promise<Programs> {
  const { againstLlamaBench, againstFrom, depth = [] } = options;
  const llamaBench =
    againstLlamaBench === undefined ? undefined : await findLlamaBench(againstLlamaBench);
  const deepest = Math.max(0, ...depth);
  if (deepest > 0 && llamaBench?.help.includes("--n-depth") === false) {
    const expected = "0 beside this llama-bench, which is too old: its --help names no --n-depth";
    throw new OptionError("depth", `${deepest}`, expected);
  }
  return {
    nodeLlamaCpp: againstFrom === undefined ? undefined : findNodeLlamaCpp(againstFrom),
    llamaBench,
  };
}
