/** `hearth prepare`: learn about a model what lets it skip neurons, and say what that costs. */

import type { Command } from "commander";
import { counted } from "../core/counted.ts";
import { percent } from "../core/numbers.ts";
import { visibleJson, visibleText } from "../core/visible-text.ts";
import { formatBytes, type MethodReport, type PrepareReport, prepareModel } from "../index.ts";
import { percentage, wholeNumber } from "./option-values.ts";
import { print } from "./output.ts";
import { checkOutputFile, writeOutput } from "./output-file.ts";
import { table } from "./table.ts";
import {
  addTrainingOptions,
  type TrainingFlags,
  trainedAsJson,
  trainedAsText,
  trainingOptions,
  withProgress,
} from "./train-predictor.ts";
import { showRemarks } from "./voice.ts";

interface PrepareFlags extends TrainingFlags {
  readonly maxPerplexityLoss: number;
  readonly checkTokens?: number;
  readonly plot?: string;
}

const examples = `
Profiles the model, trains or calibrates what finds its active neurons, writes it to the sidecar with the transposed
down projection, and checks every method against the dense model. --sparsity auto then takes the one that reads the
fewest bytes within --max-perplexity-loss. An interrupted run goes on where it stopped.

Examples:
  $ hearth prepare model.gguf --corpus books.txt
  $ hearth prepare model.gguf --corpus chats.jsonl --max-perplexity-loss 2 --plot quality.svg
  $ hearth prepare model.gguf                            with text that the model writes itself`;

export function addPrepareCommand(program: Command): void {
  const command = program
    .command("prepare")
    .description("learn which neurons of a model can be skipped, and what that costs")
    .argument("<model>", "a GGUF file");
  addTrainingOptions(command)
    .option(
      "--max-perplexity-loss <percent>",
      "per cent of perplexity that --sparsity auto may cost",
      percentage,
      1,
    )
    .option("--check-tokens <n>", "most tokens of the check (default: 8192)", wholeNumber)
    .option("--plot <svg>", "draw sparsity against perplexity and bytes (default: none)")
    .addHelpText("after", examples)
    .action(prepare);
}

async function prepare(model: string, flags: PrepareFlags): Promise<void> {
  const { maxPerplexityLoss, checkTokens, plot } = flags;
  checkOutputFile(plot, "--plot");
  checkOutputFile(flags.sidecar, "--sidecar");
  const report = await withProgress(flags, (progress) =>
    prepareModel(model, {
      ...trainingOptions(flags),
      ...progress,
      maxPerplexityLoss: maxPerplexityLoss / 100,
      ...(checkTokens !== undefined && { checkTokens }),
    }),
  );
  if (report === undefined) return;
  showRemarks(report, flags);
  if (plot !== undefined) await writeOutput(plot, report.plot());
  print(flags.json ? visibleJson(prepareJson(report)) : prepareText(report));
}

/** What `hearth prepare` prints: a table, what its columns mean and what the numbers hold for. */
export function prepareText(report: PrepareReport): string {
  const { methods, trained, signs, recommendation, sidecar } = report;
  const header = [
    "method",
    "active",
    "bytes a token",
    "speed-up predicted",
    "measured",
    "tokens/s",
    "perplexity",
    "change",
    "same greedy tokens",
    "judged by",
  ];
  const signRows = signs.map(({ recall, massRecall, ratio }, layer) => [
    String(layer),
    percent(recall, 1),
    percent(massRecall, 1),
    `${ratio.toFixed(2)}×`,
  ]);
  return [
    ...(trained.length > 0 ? ["predictors", trainedAsText(trained), ""] : []),
    ...(signs.length > 0
      ? [
          "sign bits",
          table([["layer", "recall", "of activation mass", "selected/active"], ...signRows]),
          "",
        ]
      : []),
    table([header, ...methods.map(methodRow)]),
    `All but the speeds: ${counted(report.decodedTokens, "held-out token")} of ${visibleText(report.checkedOn.join(", "), 200)}, decoded one by one`,
    "after prompts of half a window. Other kinds of text may differ by more than the errors shown: give --corpus the kind that you will use.",
    `Bytes: of the ${report.comparedMatrices} matrices.`,
    "Judged by: how many tokens were checked; fewer if the method was rejected early (too much change, or more bytes than an accepted one).",
    "Change: of perplexity, target by target, ± its standard error. Same greedy tokens: as the dense model's after the same text.",
    "Speed-up predicted: from all weight bytes of a token; measured: dense and sparse in turns on this machine, as it was used then.",
    "",
    `--sparsity auto takes ${recommendation.method}: ${visibleText(recommendation.reason, 500)}`,
    `kept in ${visibleText(sidecar)}`,
  ].join("\n");
}

function methodRow(report: MethodReport): readonly string[] {
  const { method, variant, perplexity, perplexityError, perplexityLoss, lossError } = report;
  const change =
    method === "dense"
      ? ""
      : `${perplexityLoss < 0 ? "" : "+"}${(100 * perplexityLoss).toFixed(2)} ± ${(100 * lossError).toFixed(2)} %`;
  return [
    `${method} ${variant}`.trim(),
    percent(report.activeShare, 1),
    formatBytes(report.bytesPerToken),
    `${report.predictedSpeedup.toFixed(2)}×`,
    `${report.measuredSpeedup.toFixed(2)}×`,
    report.tokensPerSecond.toFixed(1),
    `${perplexity.toFixed(3)} ± ${perplexityError.toFixed(3)}`,
    change,
    percent(report.agreement, 1),
    String(report.judgedTokens),
  ];
}

/** The same for `--json`. */
export function prepareJson(report: PrepareReport): object {
  const { sidecar, corpora, trained, signs, methods, maxPerplexityLoss, recommendation } = report;
  return {
    sidecar,
    corpora,
    max_perplexity_loss: maxPerplexityLoss,
    compared_matrices: report.comparedMatrices,
    decoded_tokens: report.decodedTokens,
    checked_on: report.checkedOn,
    recommended: { method: recommendation.method, reason: recommendation.reason },
    predictors: trained.map(trainedAsJson),
    signs: signs.map(({ recall, massRecall, precision, ratio }, layer) => ({
      layer,
      recall,
      mass_recall: massRecall,
      precision,
      selected_over_active: ratio,
    })),
    methods: methods.map((one) => ({
      method: one.method,
      variant: one.variant,
      active_share: one.activeShare,
      bytes_per_token: one.bytesPerToken,
      predicted_speedup: one.predictedSpeedup,
      measured_speedup: one.measuredSpeedup,
      tokens_per_second: one.tokensPerSecond,
      perplexity: one.perplexity,
      perplexity_error: one.perplexityError,
      perplexity_loss: one.perplexityLoss,
      perplexity_loss_error: one.lossError,
      agreement: one.agreement,
      judged_tokens: one.judgedTokens,
    })),
  };
}
