/** A multiple-choice question as a language model sees it: for each choice a context and a continuation to be scored. */

export type TaskName =
  | "piqa"
  | "winogrande"
  | "rte"
  | "copa"
  | "arc_easy"
  | "arc_challenge"
  | "mmlu";

/**
 * acc: the choice whose continuation is likeliest. acc_norm: the same after dividing each log-likelihood by the
 * number of characters of its choice, as the harness has it (it divides by bytes only in its acc_bytes).
 */
export type Metric = "acc" | "acc_norm";

export interface Question {
  /** Unique within its task. */
  readonly id: string;
  /** The part of the task it belongs to: a subject of mmlu. */
  readonly group?: string;
  readonly choices: readonly Choice[];
  /** Index of the right choice. */
  readonly gold: number;
}

export interface Choice {
  readonly context: string;
  readonly continuation: string;
  /** Unicode characters of the choice itself, without the delimiter before it. */
  readonly characters: number;
}

export interface EvalTask {
  readonly name: TaskName;
  readonly metrics: readonly Metric[];
  /** Prompt and normalisation in one line, for people. */
  readonly definition: string;
  /** Questions in the order of the data. `fewShot`: solved examples before each; 0 unless `takesExamples`. */
  readonly load: (dataFolder: string, fewShot: number) => readonly Question[];
  readonly takesExamples: boolean;
}

/** Choices that follow one context, joined by a space: the harness's target delimiter. */
export function choicesAfter(context: string, texts: readonly string[]): readonly Choice[] {
  return texts.map((text) => ({
    context,
    continuation: ` ${text}`,
    characters: charactersOf(text),
  }));
}

export function charactersOf(text: string): number {
  return [...text].length;
}
