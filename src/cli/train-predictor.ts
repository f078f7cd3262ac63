/** `hearth train-predictor`: predictors of active neurons for a model of the ReLU family, trained on this machine. */

import { type Command, Option } from "commander";
import { percent } from "../core/numbers.ts";
import { visibleText } from "../core/visible-text.ts";
import {
  formatBytes,
  type HostDevice,
  hostDevices,
  type TrainedLayer,
  type TrainPredictorOptions,
  trainPredictors,
} from "../index.ts";
import { collect, positiveNumber, realNumber, wholeNumber } from "./option-values.ts";
import { print, printJson, say } from "./output.ts";
import { checkOutputFile } from "./output-file.ts";
import { createBar, type ProgressBar } from "./progress.ts";
import { table } from "./table.ts";

/** Options that `prepare` shares. */
export interface TrainingFlags {
  readonly corpus?: readonly string[];
  readonly tokens?: number;
  readonly context?: number;
  readonly sidecar?: string;
  readonly device: HostDevice;
  readonly threads?: number;
  readonly seed?: number;
  readonly recall?: number;
  readonly maxRatio?: number;
  readonly epochs?: number;
  readonly memory?: number;
  readonly again?: true;
  readonly json?: true;
}

const examples = `
Each layer gets the smallest predictor that reaches the recall without selecting too many neurons. Layers that have
one are kept: an interrupted run goes on where it stopped.

Examples:
  $ hearth train-predictor model.gguf --corpus books.txt
  $ hearth train-predictor model.gguf --corpus books.txt --recall 0.98 --again`;

const mebibyte = 1 << 20;

export function addTrainPredictorCommand(program: Command): void {
  const command = program
    .command("train-predictor")
    .description("train predictors of active neurons")
    .argument("<model>", "a GGUF file");
  addTrainingOptions(command).addHelpText("after", examples).action(train);
}

export function addTrainingOptions(command: Command): Command {
  return command
    .option(
      "--corpus <file...>",
      "texts to learn from; repeatable (default: the model's own)",
      (file, files: string[] | undefined) => [...collect(file, files)],
    )
    .option("--tokens <n>", "tokens of each corpus (default: 60000)", wholeNumber)
    .option("-c, --context <tokens>", "tokens of a window (default: at most 512)", wholeNumber)
    .option("--sidecar <file>", "where to keep it (default: MODEL.sparsity.gguf)")
    .addOption(
      new Option("--device <device>", "where the model runs")
        .choices([...hostDevices])
        .default("auto"),
    )
    .option("--threads <n>", "threads (default: physical cores)", wholeNumber)
    .option("--seed <n>", "same seed, same predictors (default: 1)", wholeNumber)
    .option("--recall <share>", "active neurons to find, 0 to 1 (default: 0.95)", realNumber)
    .option(
      "--most-ratio <x>",
      "most neurons a predictor may select, per active one (default: 2.5)",
      realNumber,
    )
    .option("--epochs <n>", "most passes over the training rows (default: 10)", wholeNumber)
    .option("--memory <MiB>", "for the rows learnt from (default: 2048)", positiveNumber)
    .option("--again", "train layers anew that have a predictor already")
    .option("--json", "print one JSON object");
}

export function trainingOptions(flags: TrainingFlags): TrainPredictorOptions {
  const { corpus, context, memory, again, json: _json, ...same } = flags;
  const options = {
    ...same,
    corpora: corpus,
    window: context,
    memory: memory === undefined ? undefined : memory * mebibyte,
    finished: again ? ("again" as const) : undefined,
  };
  const known = [
    "corpora",
    "tokens",
    "window",
    "sidecar",
    "device",
    "threads",
    "seed",
    "recall",
    "maxRatio",
    "epochs",
    "memory",
    "finished",
  ];
  return Object.fromEntries(
    Object.entries(options).filter(([key, value]) => known.includes(key) && value !== undefined),
  );
}

/** A bar for each stage; a layer that is done says so in a line of its own. Ctrl-C cancels; what is finished stays. */
export async function withProgress<Result>(
  work: (
    progress: Pick<TrainPredictorOptions, "onProgress" | "onLayer" | "signal">,
  ) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  process.once("SIGINT", onInterrupt);
  let bar: ProgressBar | undefined;
  let stage: string | undefined;
  try {
    return await work({
      signal: stop.signal,
      onProgress: (name, done, total) => {
        if (name !== stage) {
          bar?.stop();
          bar = createBar(name, "");
          stage = name;
        }
        bar?.update(done, total);
      },
      onLayer: ({ layer, rank, quality }) => {
        if (!process.stderr.isTTY) return;
        const selected = `${quality.ratio.toFixed(2)} times the active neurons`;
        process.stderr.write(
          `\rlayer ${layer}: rank ${rank} finds ${percent(quality.recall, 1)} by selecting ${selected}\n`,
        );
      },
    });
  } finally {
    bar?.stop();
    process.off("SIGINT", onInterrupt);
  }
}

async function train(model: string, flags: TrainingFlags): Promise<void> {
  checkOutputFile(flags.sidecar, "--sidecar");
  const report = await withProgress((progress) =>
    trainPredictors(model, { ...trainingOptions(flags), ...progress }),
  );
  for (const notice of report.notices) say(notice);
  const { sidecar, corpora, trained } = report;
  if (flags.json) {
    const json = { sidecar, corpora, predictors: trained.map(trainedAsJson) };
    printJson(json);
    return;
  }
  const text =
    trained.length === 0 ? "every layer has a predictor already" : trainedAsText(trained);
  print(`${text}\nkept in ${visibleText(sidecar)}`);
}

export function trainedAsText(trained: readonly TrainedLayer[]): string {
  const header = [
    "layer",
    "active",
    "rank",
    "recall",
    "of activation mass",
    "precision",
    "selected/active",
    "bytes",
    "time",
  ];
  const rows = trained.map(({ layer, rank, quality, bytes, milliseconds }) => [
    String(layer),
    percent(quality.activeShare, 1),
    String(rank),
    percent(quality.recall, 1),
    percent(quality.massRecall, 1),
    percent(quality.precision, 1),
    `${quality.ratio.toFixed(2)}×`,
    formatBytes(bytes),
    `${(milliseconds / 1000).toFixed(1)} s`,
  ]);
  return table([header, ...rows]);
}

export function trainedAsJson(trained: TrainedLayer): object {
  const { layer, rank, tried, quality, bytes, milliseconds } = trained;
  return {
    layer,
    rank,
    tried,
    active_share: quality.activeShare,
    recall: quality.recall,
    mass_recall: quality.massRecall,
    precision: quality.precision,
    selected_over_active: quality.ratio,
    bytes,
    seconds: milliseconds / 1000,
  };
}
