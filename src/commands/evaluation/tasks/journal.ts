/**
 * The results file of an evaluation: one JSON object a line, so that an evaluation that was stopped goes on where it
 * was. A result is kept under what it depends on, so one of other data, prompts or sparsity is never taken for it.
 */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, truncateSync, writeFileSync } from "node:fs";
import { FileFormatError, OptionError } from "../../../core/errors.ts";
import { readTextFile } from "../../../io/open-file.ts";
import type { Question, TaskName } from "./question.ts";
import type { ScoredQuestion } from "./question-scorer.ts";
import { isFields } from "./records.ts";

/** What a result depends on beside the question itself. */
export interface JournalKey {
  /** Device, method and what hearth has learnt about the model. */
  readonly variant: string;
  readonly task: TaskName;
}

export class Journal {
  readonly #path: string | undefined;
  readonly #results = new Map<string, ScoredQuestion>();

  /**
   * Without a path, results are kept in memory only. `model`: whatever makes results of another model differ.
   * @throws OptionError for a file of another model, or a file that holds no results.
   */
  constructor(path: string | undefined, model: string) {
    this.#path = path;
    if (path === undefined) return;
    const header = JSON.stringify({ hearth_eval: 1, model });
    if (existsSync(path)) this.#load(path, header);
    else writeFileSync(path, `${header}\n`);
  }

  find(key: JournalKey, question: Question): ScoredQuestion | undefined {
    return this.#results.get(nameOf(key, question));
  }

  add(key: JournalKey, question: Question, scored: ScoredQuestion): void {
    const name = nameOf(key, question);
    this.#results.set(name, scored);
    if (this.#path === undefined) return;
    const { logLikelihoods, truncated } = scored;
    const line = JSON.stringify({ name, log_likelihoods: logLikelihoods, truncated });
    appendFileSync(this.#path, `${line}\n`);
  }

  #load(path: string, header: string): void {
    const text = readTextFile(path);
    const lines = text.split("\n");
    if (lines[0] !== header) {
      const expected = `results of this model and context; its first line must be ${header}`;
      throw new OptionError("results", path, expected);
    }
    const whole = lines.slice(1, -1);
    for (const [index, line] of whole.entries()) this.#take(line, { path, line: index + 2 });
    // What follows the last line break was being written when the evaluation was stopped.
    if (lines.at(-1) !== "")
      truncateSync(path, Buffer.byteLength([header, ...whole, ""].join("\n")));
  }

  #take(text: string, place: { readonly path: string; readonly line: number }): void {
    const entry = parseEntry(text, place);
    if (!isFields(entry)) return;
    const { name, log_likelihoods: values, truncated } = entry;
    if (typeof name !== "string" || !Array.isArray(values)) return;
    this.#results.set(name, { logLikelihoods: values.map(Number), truncated: truncated === true });
  }
}

function parseEntry(
  text: string,
  place: { readonly path: string; readonly line: number },
): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const found = JSON.stringify(text.slice(0, 40));
    const expected = "a result as JSON; delete the line, and its question is asked again";
    throw new FileFormatError({ file: place.path, where: `line ${place.line}`, found, expected });
  }
}

function nameOf({ variant, task }: JournalKey, question: Question): string {
  const content = createHash("sha256").update(JSON.stringify(question.choices)).digest("hex");
  return `${variant} ${task} ${question.id} ${content.slice(0, 16)}`;
}
