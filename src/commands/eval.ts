/** Multiple-choice evaluation of a model, and beside it of the dense model it stands for: opens, asks, closes. */
import { existsSync, statSync } from "node:fs";
import {
  checkOptions,
  checkValue,
  choiceRule,
  countRule,
  functionRule,
  type OptionRules,
  pathRule,
  textListRule,
} from "../core/check-options.ts";
import { OptionError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";
import { type OpenedModel, openModelFile } from "../engine/open.ts";
import { engineRules } from "../engine/option-rules.ts";
import type { EngineOptions } from "../engine/options.ts";
import { openGguf } from "../gguf/open.ts";
import { sidecarPathOf } from "../sparsity/sidecar/sidecar.ts";
import { Journal } from "./evaluation/tasks/journal.ts";
import type { EvalTask, Metric, Question, TaskName } from "./evaluation/tasks/question.ts";
import { type ScoredQuestion, scoreQuestions } from "./evaluation/tasks/question-scorer.ts";
import {
  type Accuracy,
  accuracyOf,
  differenceOf,
  type PairedDifference,
  scoreQuestion,
} from "./evaluation/tasks/score.ts";
import { findTask, type QuestionChoice, selectQuestions } from "./evaluation/tasks/tasks.ts";
import { inspectModel } from "./inspect.ts";
import { denseReference } from "./reference.ts";

export interface EvaluateOptions extends Omit<EngineOptions, "sequences">, QuestionChoice {
  readonly tasks: readonly string[];
  /** The folder with the sets: piqa/, winogrande/, rte/, copa/, arc/, mmlu/. */
  readonly data: string;
  /** Solved examples before each question of the tasks that have such: mmlu. Default 0. */
  readonly fewShot?: number;
  /** Ask the dense model the same questions and report the difference. */
  readonly compare?: "dense";
  /** A file that keeps every result; an evaluation that was stopped goes on from it. */
  readonly results?: string;
  readonly onQuestions?: (done: number, total: number) => void;
}

export interface Evaluation {
  readonly model: string;
  /** For people: what answered, and what it was compared with. */
  readonly candidate: string;
  readonly reference?: string;
  /** As of an engine, of the candidate. */
  readonly notices: readonly string[];
  readonly details: readonly string[];
  readonly tasks: readonly TaskEvaluation[];
}

export interface TaskEvaluation {
  readonly task: TaskName;
  readonly definition: string;
  readonly fewShot: number;
  readonly questions: number;
  /** Questions whose beginning did not fit into the context. */
  readonly truncated: number;
  readonly metrics: readonly MetricEvaluation[];
}

export interface MetricEvaluation {
  readonly metric: Metric;
  readonly candidate: Accuracy;
  readonly reference?: Accuracy;
  /** Candidate minus reference. */
  readonly difference?: PairedDifference;
}

interface AskedTask {
  readonly task: EvalTask;
  readonly fewShot: number;
  readonly questions: readonly Question[];
}

interface Answered {
  readonly label: string;
  readonly notices: readonly string[];
  readonly details: readonly string[];
  /** In the order of tasks and their questions. */
  readonly results: readonly (readonly ScoredQuestion[])[];
}

const { sequences: _, ...evaluateEngineRules } = engineRules;

const evaluateRules: OptionRules<EvaluateOptions> = {
  ...evaluateEngineRules,
  tasks: textListRule,
  data: pathRule,
  limit: countRule(1),
  seed: countRule(0),
  fewShot: countRule(0),
  compare: choiceRule(["dense"]),
  results: pathRule,
  onQuestions: functionRule,
};

/** @throws as Engine.open; FileFormatError with file and line for malformed data. */
export async function evaluate(path: string, options: EvaluateOptions): Promise<Evaluation> {
  checkOptions(options, evaluateRules, "evaluate");
  checkValue(options.tasks, "tasks", textListRule);
  checkValue(options.data, "data", pathRule);
  const { tasks, data, limit, seed, fewShot, compare, results, onQuestions, ...engine } = options;
  const asked = askedTasks(options);
  const variants = compare === undefined ? [engine] : [engine, denseReference(engine)];
  const total = variants.length * asked.reduce((sum, { questions }) => sum + questions.length, 0);
  const room = roomFor(path, asked, engine);
  const gguf = openGguf(path);
  const identity = `${gguf.fingerprint()} context ${room.contextLength} cache ${engine.cacheType ?? "f16"}`;
  const journal = new Journal(results, identity);
  let done = 0;
  const answered: Answered[] = [];
  for (const variant of variants) {
    const onQuestion = (): void => onQuestions?.(++done, total);
    answered.push(await answer(path, { ...variant, ...room }, { asked, journal, onQuestion }));
  }
  const [candidate, reference] = answered;
  if (candidate === undefined) throw new Error("there is always one variant");
  return {
    model: path,
    candidate: candidate.label,
    ...(reference && { reference: reference.label }),
    notices: candidate.notices,
    details: candidate.details,
    tasks: asked.map((task, i) =>
      summarise(task, candidate.results[i] ?? [], reference?.results[i]),
    ),
  };
}

function askedTasks(options: EvaluateOptions): readonly AskedTask[] {
  const { tasks, data, limit, seed, fewShot = 0 } = options;
  if (tasks.length === 0) throw new OptionError("tasks", "none", "at least one task");
  const found = tasks.map(findTask);
  if (fewShot > 0 && !found.some(({ takesExamples }) => takesExamples)) {
    throw new OptionError("fewShot", `${fewShot} for ${tasks.join(", ")}`, "the task mmlu");
  }
  return found.map((task) => {
    const shots = task.takesExamples ? fewShot : 0;
    const selection = {
      ...(limit !== undefined && { limit }),
      ...(seed !== undefined && { seed }),
    };
    return { task, fewShot: shots, questions: selectQuestions(task.load(data, shots), selection) };
  });
}

/** More context than this is only taken when asked for. */
const defaultContext: Tokens = 2048;
/** For the KV caches of all sequences together; questions share steps, which is worth it up to a few full steps. */
const cacheBytes = 2 ** 30;
const maxSequences = 16;

/** A context that no question exceeds, where that is known cheaply (a token is at least one byte), and the number of sequences that pays. */
function roomFor(
  path: string,
  asked: readonly AskedTask[],
  engine: EngineOptions,
): { readonly contextLength: Tokens; readonly sequences: number } {
  const { contextLength: trained = defaultContext, kvCacheBytes } = inspectModel(path);
  const choices = asked.flatMap(({ questions }) => questions.flatMap(({ choices }) => choices));
  const longest = choices.reduce(
    (most, { context, continuation }) =>
      Math.max(most, Buffer.byteLength(context) + Buffer.byteLength(continuation)),
    0,
  );
  const { contextLength: wanted } = engine;
  const most = wanted === "largest" ? trained : Math.min(trained, defaultContext);
  const contextLength =
    typeof wanted === "number" ? wanted : Math.min(most, longest + specialTokens);
  const needed = asked.reduce(
    (most, { questions }) => Math.max(most, ...questions.map(({ choices }) => choices.length)),
    1,
  );
  const perSequence = kvCacheBytes(contextLength, engine.cacheType ?? "f16") ?? cacheBytes;
  const paid = Math.min(maxSequences, Math.floor(cacheBytes / perSequence));
  return { contextLength, sequences: Math.max(needed + 1, paid) };
}

/** BOS and SentencePiece's space before the text. */
const specialTokens = 2;

async function answer(
  path: string,
  options: EngineOptions,
  work: {
    readonly asked: readonly AskedTask[];
    readonly journal: Journal;
    readonly onQuestion: () => void;
  },
): Promise<Answered> {
  const opened = await openModelFile(path, options, "per row");
  try {
    const variant = variantOf(path, options, opened);
    const results: (readonly ScoredQuestion[])[] = [];
    for (const { task, questions } of work.asked) {
      const key = { variant, task: task.name };
      const isKnown = (question: Question): boolean =>
        work.journal.find(key, question) !== undefined;
      for (const _ of questions.filter(isKnown)) work.onQuestion();
      const onScored = (question: Question, scored: ScoredQuestion): void => {
        options.signal?.throwIfAborted();
        work.journal.add(key, question, scored);
        work.onQuestion();
      };
      await scoreQuestions(opened, { questions, isKnown, onScored });
      results.push(questions.flatMap((question) => work.journal.find(key, question) ?? []));
    }
    const { notices, details } = opened;
    return { label: labelOf(options, opened), notices, details, results };
  } finally {
    opened[Symbol.dispose]();
  }
}

function labelOf(options: EngineOptions, opened: OpenedModel): string {
  return `sparsity ${options.sparsity ?? "auto"}, ${opened.backend.description}`;
}

/** What results depend on beside the model: not the threads, but the sidecar. */
function variantOf(path: string, options: EngineOptions, opened: OpenedModel): string {
  const device = opened.backend.description.replace(/, \d+ threads?/, "");
  const sidecar = options.sidecar ?? sidecarPathOf(path);
  const isUsed = options.sparsity !== "dense" && existsSync(sidecar);
  const learnt = isUsed ? ` sidecar ${statSync(sidecar).mtimeMs}` : "";
  return `[${device} sparsity ${options.sparsity ?? "auto"}${learnt}]`;
}

function summarise(
  { task, fewShot, questions }: AskedTask,
  candidate: readonly ScoredQuestion[],
  reference: readonly ScoredQuestion[] | undefined,
): TaskEvaluation {
  const correct = (results: readonly ScoredQuestion[], metric: Metric): readonly number[] =>
    questions.map((question, i) =>
      scoreQuestion(question, results[i]?.logLikelihoods ?? [], metric),
    );
  return {
    task: task.name,
    definition: task.definition,
    fewShot,
    questions: questions.length,
    truncated: candidate.filter(({ truncated }) => truncated).length,
    metrics: task.metrics.map((metric): MetricEvaluation => {
      const own = correct(candidate, metric);
      if (reference === undefined) return { metric, candidate: accuracyOf(own) };
      const dense = correct(reference, metric);
      return {
        metric,
        candidate: accuracyOf(own),
        reference: accuracyOf(dense),
        difference: differenceOf(own, dense),
      };
    }),
  };
}
