/** `hearth bench`: how fast models run on this machine, alone or beside llama.cpp. */
import { type Command, Option } from "commander";
import { defined } from "../core/defined.ts";
import { visibleJson } from "../core/visible-text.ts";
import {
  type BenchReport,
  bench,
  type Device,
  devices,
  type EngineOptions,
  type KvType,
  OptionError,
  type Sparsity,
  sparsities,
} from "../index.ts";
import { ApiOption } from "./api-option.ts";
import { asCsv, asMarkdown } from "./bench-output.ts";
import {
  addServerBenchOptions,
  refuseServerFlags,
  runServerBench,
  type ServerBenchFlags,
  serverExamples,
} from "./bench-server.ts";
import { cacheTypeOption } from "./model-options.ts";
import { byteSizeList, nameList, numberList, wholeNumber } from "./option-values.ts";
import { print } from "./output.ts";
import { checkOutputFile, writeOutput } from "./output-file.ts";
import { createBar } from "./progress.ts";
import { batchOption } from "./prompt-options.ts";

interface BenchFlags extends ServerBenchFlags {
  readonly depth: readonly number[];
  readonly parallel: readonly number[];
  readonly device: readonly string[];
  readonly sparsity: readonly string[];
  readonly vramBudget?: readonly number[];
  readonly sidecar?: string;
  readonly batchSize?: number;
  readonly cacheType: KvType;
  readonly againstLlamaBench?: string;
  readonly against?: true;
  readonly againstFrom?: string;
  readonly output: "md" | "json" | "csv";
}

const examples = `
Tests are named as in llama-bench: pp128 reads a prompt of 128 tokens, tg64 writes 64, tg64 @ d4096 writes them behind a
text of 4096, whose reading is not counted (--depth). Every combination of model and
comma-separated options is measured, in turn, round by round; the first round is thrown away. Shown is the median and
the range of all rounds. Close other programs first.

--against-llama-bench measures native llama.cpp with the same number of threads: its llama-bench, or a command that
starts it, as "env LD_LIBRARY_PATH=/opt/llama /opt/llama/llama-bench" or "llama-bench -ngl 20". --against measures
node-llama-cpp, which spends time outside llama.cpp's kernels. Ratios are taken round by round.

Examples:
  $ hearth bench model.gguf
  $ hearth bench a.gguf b.gguf -p 128,512 -n 64 --threads 1,2 -o csv
  $ hearth bench model.gguf --sparsity dense,auto --save bench/results/mine.json
  $ hearth bench model.gguf --device hybrid --vram-budget 24GiB,11GiB
  $ hearth bench model.gguf --depth 0,4096 --cache-type q8_0
  $ hearth bench model.gguf --against-llama-bench ~/llama.cpp/build/bin/llama-bench
  $ hearth bench model.gguf --against --against-from ~/with-node-llama-cpp
${serverExamples}`;

export function addBenchCommand(program: Command): void {
  const command = program
    .command("bench")
    .description("measure how fast models run here")
    .argument("[models...]", "GGUF files")
    .addOption(
      new ApiOption("promptTokens", "-p, --prompt <tokens>", "lengths of prompts; 0: none")
        .argParser(numberList)
        .default([128]),
    )
    .addOption(
      new ApiOption("answerTokens", "-n, --predict <tokens>", "lengths of answers; 0: none")
        .argParser(numberList)
        .default([64]),
    )
    .option("-d, --depth <tokens>", "tokens in the cache before each test", numberList, [0])
    .option("--parallel <n,…>", "answers written at the same time", numberList, [1])
    .option("-r, --repetitions <n>", "timed runs of each test", wholeNumber, 5)
    .option("--threads <n,…>", "threads (default: physical cores)", numberList)
    .option("--device <devices>", `some of ${devices.join(",")}`, nameList, ["auto"])
    .option("--sparsity <methods>", `some of ${sparsities.join(",")}`, nameList, ["auto"])
    .option(
      "--vram-budget <sizes>",
      "most memory of the card to take: 24GiB,11GiB (default: nine tenths)",
      byteSizeList,
    )
    .option("--sidecar <file>", "what hearth prepare learnt (default: MODEL.sparsity.gguf)")
    .addOption(batchOption())
    .addOption(cacheTypeOption())
    .option(
      "--against-llama-bench <command>",
      "measure llama.cpp in turn and show the ratio (default: none)",
    )
    .option("--against", "measure node-llama-cpp in turn and show the ratio")
    .option("--against-from <folder>", "where node-llama-cpp is installed (default: here)");
  addServerBenchOptions(command);
  command
    .addOption(
      new Option("-o, --output <format>", "how to print")
        .choices(["md", "json", "csv"])
        .default("md"),
    )
    .option("--json", "the same as -o json")
    .option("--save <file>", "write the report as JSON too (default: none)")
    .addHelpText("after", examples)
    .action(runBench);
}

async function runBench(models: readonly string[], flags: BenchFlags): Promise<void> {
  if (flags.server !== undefined) {
    if (Math.max(...flags.depth) > 0) throw new OptionError("depth", "given with --server", "none");
    return await runServerBench(models, flags);
  }
  refuseServerFlags(flags);
  checkOutputFile(flags.save, "--save");
  const bar = createBar("measuring", "runs");
  const isAgainst = flags.against === true || flags.againstFrom !== undefined;
  try {
    const report = await bench({
      models,
      configurations: configurationsOf(flags),
      promptTokens: flags.promptTokens,
      answerTokens: flags.answerTokens,
      depth: flags.depth,
      parallel: flags.parallel,
      repetitions: flags.repetitions,
      ...(flags.againstLlamaBench !== undefined && { againstLlamaBench: flags.againstLlamaBench }),
      ...(isAgainst && { againstFrom: flags.againstFrom ?? process.cwd() }),
      command: `hearth ${process.argv.slice(2).join(" ")}`,
      onRun: (done, total) => bar.update(done, total),
    });
    bar.stop();
    if (flags.save !== undefined) {
      await writeOutput(flags.save, `${JSON.stringify(report, undefined, 2)}\n`);
    }
    print(asText(report, flags.json ? "json" : flags.output));
  } finally {
    bar.stop();
  }
}

function asText(report: BenchReport, format: BenchFlags["output"]): string {
  switch (format) {
    case "md":
      return asMarkdown(report);
    case "csv":
      return asCsv(report);
    case "json":
      return visibleJson(report);
    default:
      return format satisfies never;
  }
}

/** Every combination, what varies fastest last. */
function configurationsOf(flags: BenchFlags): readonly EngineOptions[] {
  const shared: EngineOptions = {
    cacheType: flags.cacheType,
    ...defined({ sidecar: flags.sidecar, batchSize: flags.batchSize }),
  };
  return crossed([
    [shared],
    flags.device.map((value) => ({ device: oneOf("--device", value, devices) })),
    (flags.vramBudget ?? [undefined]).map((vramBudget) =>
      vramBudget === undefined ? {} : { vramBudget },
    ),
    flags.sparsity.map((value) => ({ sparsity: oneOf("--sparsity", value, sparsities) })),
    (flags.threads ?? [undefined]).map((threads) => (threads === undefined ? {} : { threads })),
  ]);
}

function crossed(factors: readonly (readonly EngineOptions[])[]): readonly EngineOptions[] {
  return factors.reduce<readonly EngineOptions[]>(
    (all, factor) => all.flatMap((one) => factor.map((other) => ({ ...one, ...other }))),
    [{}],
  );
}

function oneOf<T extends Device | Sparsity>(
  option: string,
  value: string,
  choices: readonly T[],
): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new OptionError(option, `"${value}"`, `one of ${choices.join(", ")}`);
}
