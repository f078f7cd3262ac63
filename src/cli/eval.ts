/** `hearth eval`: multiple-choice tasks, and the difference a sparse method makes. */

import { type Command, Option } from "commander";
import { counted } from "../core/counted.ts";
import { defined } from "../core/defined.ts";
import { visibleJson } from "../core/visible-text.ts";
import {
  type EngineOptions,
  type EvaluateOptions,
  type Evaluation,
  evalTasks,
  evaluate,
  type MetricEvaluation,
  type TaskEvaluation,
} from "../index.ts";
import { ApiOption } from "./api-option.ts";
import { untilInterrupted } from "./interrupt.ts";
import { addEngineOptions, type EngineFlags, engineOptions } from "./model-options.ts";
import { choiceList, positiveNumber, wholeNumber } from "./option-values.ts";
import { print } from "./output.ts";
import { createBar } from "./progress.ts";
import { table } from "./table.ts";
import { showRemarks } from "./voice.ts";

interface EvalFlags extends EngineFlags, Omit<EvaluateOptions, keyof EngineOptions> {
  readonly json?: true;
}

const examples = `
Tasks, prompts and normalisation are those of EleutherAI's lm-evaluation-harness. --data is a folder with
piqa/valid.jsonl and valid-labels.lst, winogrande/dev.jsonl, rte/dev.csv, copa/val.jsonl, arc/ARC-Easy-Test.jsonl,
arc/ARC-Challenge-Test.jsonl, mmlu/{dev,test}/*.csv.

Examples:
  $ hearth eval model.gguf --task piqa,rte --data sets
  $ hearth eval model.gguf --task mmlu --few-shot 5 --limit 10 --data sets --json
  $ hearth eval model.gguf --task piqa --data sets --sparsity gate --compare dense --results piqa.jsonl`;

export function addEvalCommand(program: Command): void {
  const command = program
    .command("eval")
    .description("score multiple-choice tasks by log-likelihood")
    .argument("<model>", "a GGUF file")
    .addOption(
      new ApiOption("tasks", "--task <names>", `some of ${evalTasks.join(",")} (no default)`)
        .argParser(choiceList(evalTasks))
        .makeOptionMandatory(),
    )
    .requiredOption("--data <folder>", "the folder with the sets (no default)")
    .option(
      "--limit <n>",
      "at most n questions of a task (mmlu: of a subject; default: all)",
      positiveNumber,
    )
    .option(
      "--seed <n>",
      "draw the questions of --limit (default: they are the first)",
      wholeNumber,
    )
    .option(
      "--few-shot <k>",
      "solved examples before each question of mmlu (default: 0)",
      wholeNumber,
    )
    .addOption(
      new Option(
        "--compare <with>",
        "ask the dense model too and show the difference (default: none)",
      ).choices(["dense"]),
    )
    .option("--results <file>", "keep every result in this file, and go on from it (default: none)")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples);
  addEngineOptions(command).action(runEval);
}

async function runEval(path: string, flags: EvalFlags): Promise<void> {
  const { tasks, data, limit, seed, fewShot, compare, results } = flags;
  const bar = createBar("asking", "questions", flags);
  try {
    const ask = (signal?: AbortSignal): Promise<Evaluation> =>
      evaluate(path, {
        ...engineOptions(flags),
        tasks,
        data,
        ...defined({ limit, seed, fewShot, compare, results, signal }),
        onQuestions: (done, total) => bar.update(done, total),
      });
    // Without a file nothing is kept that a later run could go on from.
    const evaluation = results === undefined ? await ask() : await untilInterrupted(ask);
    bar.stop();
    if (evaluation === undefined) return;
    showRemarks(evaluation, flags);
    const text = flags.json ? visibleJson(asJson(evaluation)) : asText(evaluation);
    print(text);
  } finally {
    bar.stop();
  }
}

function asJson({ model, candidate, reference, tasks }: Evaluation): object {
  return {
    model,
    candidate,
    reference: reference ?? null,
    tasks: tasks.map((task) => ({
      task: task.task,
      definition: task.definition,
      few_shot: task.fewShot,
      questions: task.questions,
      truncated: task.truncated,
      metrics: Object.fromEntries(
        task.metrics.map((metric) => [metric.metric, metricJson(metric)]),
      ),
    })),
  };
}

function metricJson({ candidate, reference, difference }: MetricEvaluation): object {
  return {
    value: candidate.mean,
    standard_error: candidate.standardError,
    ...(reference && {
      reference: reference.mean,
      reference_standard_error: reference.standardError,
    }),
    ...(difference && {
      difference: difference.mean,
      difference_standard_error: difference.standardError,
      gained: difference.gained,
      lost: difference.lost,
    }),
  };
}

function asText(evaluation: Evaluation): string {
  const { candidate, reference, tasks } = evaluation;
  const isCompared = reference !== undefined;
  const header = ["task", "metric", "questions", "accuracy"];
  const rows = tasks.flatMap((task) => task.metrics.map((metric) => metricRow(task, metric)));
  const heading = isCompared ? `${candidate}; reference: ${reference}` : candidate;
  return [
    heading,
    table([isCompared ? [...header, "reference", "difference"] : header, ...rows]),
    "Accuracies in %, ± standard error; of the difference, paired by question.",
    ...tasks.map(definitionLine),
  ].join("\n");
}

function metricRow(task: TaskEvaluation, metric: MetricEvaluation): readonly string[] {
  const { candidate, reference, difference } = metric;
  const row = [task.task, metric.metric, String(task.questions), inPercent(candidate)];
  if (reference === undefined || difference === undefined) return row;
  const flips = `+${difference.gained} −${difference.lost}`;
  return [...row, inPercent(reference), `${inPercent(difference)} (${flips})`];
}

function inPercent(value: { readonly mean: number; readonly standardError: number }): string {
  return `${(100 * value.mean).toFixed(2)} ± ${(100 * value.standardError).toFixed(2)}`;
}

function definitionLine({ task, definition, fewShot, truncated }: TaskEvaluation): string {
  const shots = fewShot > 0 ? `; ${fewShot} solved examples` : "";
  const cut =
    truncated > 0 ? `; ${counted(truncated, "question")} cut at the beginning to fit` : "";
  return `${task}: ${definition}${shots}${cut}`;
}
