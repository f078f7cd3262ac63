/** `hearth train-predictor`: predictors of active neurons for a model of the ReLU family, trained on this machine. */

import type { Command } from "commander";
import { percent } from "../core/numbers.ts";
import { visibleText } from "../core/visible-text.ts";
import {
  formatBytes,
  type TrainedLayer,
  type TrainPredictorOptions,
  trainPredictors,
} from "../index.ts";
import { ApiOption, addApiOptions, givenOptions } from "./api-option.ts";
import { untilInterrupted } from "./interrupt.ts";
import { corporaOption, hostDeviceOption, windowOption } from "./learning-options.ts";
import { threadsOption } from "./model-options.ts";
import { positiveNumber, realNumber, wholeNumber } from "./option-values.ts";
import { print, printJson } from "./output.ts";
import { checkOutputFile } from "./output-file.ts";
import { createBar, type ProgressBar } from "./progress.ts";
import { table } from "./table.ts";
import { addQuietOption, showRemarks, type VoiceFlags } from "./voice.ts";

/** Options that `prepare` shares. */
export interface TrainingFlags extends VoiceFlags, TrainPredictorOptions {
  readonly again?: true;
  readonly json?: true;
}

const mebibyte = 1 << 20;

const trainingFlags = (): readonly ApiOption<keyof TrainPredictorOptions>[] => [
  corporaOption("texts to learn from; repeatable (default: the model's own)"),
  new ApiOption("tokens", "--tokens <n>", "tokens of each corpus (default: 60000)").argParser(
    wholeNumber,
  ),
  windowOption(),
  new ApiOption("sidecar", "--sidecar <file>", "where to keep it (default: MODEL.sparsity.gguf)"),
  hostDeviceOption(),
  threadsOption(),
  new ApiOption("seed", "--seed <n>", "same seed, same predictors (default: 1)").argParser(
    wholeNumber,
  ),
  new ApiOption(
    "recall",
    "--recall <share>",
    "active neurons to find, 0 to 1 (default: 0.95)",
  ).argParser(realNumber),
  new ApiOption(
    "maxRatio",
    "--max-ratio <x>",
    "most neurons a predictor may select, per active one (default: 2.5)",
  ).argParser(realNumber),
  new ApiOption(
    "epochs",
    "--epochs <n>",
    "most passes over the training rows (default: 10)",
  ).argParser(wholeNumber),
  new ApiOption("memory", "--memory <MiB>", "for the rows learnt from (default: 2048)").argParser(
    (text) => positiveNumber(text) * mebibyte,
  ),
];

const examples = `
Each layer gets the smallest predictor that reaches the recall without selecting too many neurons. Layers that have
one are kept: an interrupted run goes on where it stopped.

Examples:
  $ hearth train-predictor model.gguf --corpus books.txt
  $ hearth train-predictor model.gguf --corpus books.txt --recall 0.98 --again`;

export function addTrainPredictorCommand(program: Command): void {
  const command = program
    .command("train-predictor")
    .description("train predictors of active neurons")
    .argument("<model>", "a GGUF file");
  addTrainingOptions(command).addHelpText("after", examples).action(train);
}

export function addTrainingOptions(command: Command): Command {
  return addQuietOption(addApiOptions(command, trainingFlags()))
    .option("--again", "train layers anew that have a predictor already")
    .option("--json", "print one JSON object");
}

export function trainingOptions(flags: TrainingFlags): TrainPredictorOptions {
  const given = givenOptions(flags, trainingFlags());
  return flags.again ? { ...given, finished: "again" } : given;
}

type Progress = Pick<TrainPredictorOptions, "onProgress" | "onLayer">;

/** A bar for each stage; a layer that is done says so in a line of its own. Undefined after Ctrl-C; what is finished stays. */
export async function withProgress<Result>(
  flags: VoiceFlags,
  work: (options: Progress & { readonly signal: AbortSignal }) => Promise<Result>,
): Promise<Result | undefined> {
  let bar: ProgressBar | undefined;
  let stage: string | undefined;
  try {
    const progress: Progress = {
      onProgress: (name, done, total) => {
        if (name !== stage) {
          bar?.stop();
          bar = createBar(name, "", flags);
          stage = name;
        }
        bar?.update(done, total);
      },
      onLayer: ({ layer, rank, quality }) => {
        if (flags.quiet || !process.stderr.isTTY) return;
        const selected = `${quality.ratio.toFixed(2)} times the active neurons`;
        process.stderr.write(
          `\rlayer ${layer}: rank ${rank} finds ${percent(quality.recall, 1)} by selecting ${selected}\n`,
        );
      },
    };
    return await untilInterrupted((signal) => work({ ...progress, signal }));
  } finally {
    bar?.stop();
  }
}

async function train(model: string, flags: TrainingFlags): Promise<void> {
  checkOutputFile(flags.sidecar, "--sidecar");
  const report = await withProgress(flags, (progress) =>
    trainPredictors(model, { ...trainingOptions(flags), ...progress }),
  );
  if (report === undefined) return;
  showRemarks(report, flags);
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
