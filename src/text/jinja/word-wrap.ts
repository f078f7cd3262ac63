/** textwrap.wrap of Python's library, for the filter wordwrap. */
import { codePointsOf } from "./code-points.ts";
import { fail } from "./errors.ts";
import type { Run } from "./values.ts";
import { trimStart } from "./white-space.ts";

interface WrapForm {
  readonly width: number;
  readonly breaksLongWords: boolean;
  readonly breaksOnHyphens: boolean;
}

/** The lines that a line without newlines becomes. */
export function wrapText(line: string, form: WrapForm, run: Run): readonly string[] {
  if (form.width <= 0) fail("value", "wordwrap wants a width of 1 at least");
  const chunks = splitChunks(line, form, run).map((chunk) => codePointsOf(chunk, run.budget));
  return new Wrapper(chunks.reverse(), form, run).lines();
}

const w = "[\\p{L}\\p{N}_]";
const punctuated = "[\\p{L}\\p{N}_!\"'&.,?]";
const letter = "[\\p{L}_]";
const blank = "[\\t\\n\\v\\f\\r ]";
const notBlank = "[^\\t\\n\\v\\f\\r ]";
const separators = new RegExp(
  `(${blank}+|(?<=${punctuated})-{2,}(?=${w})|${notBlank}+?(?:` +
    `-(?:(?<=${letter}{2}-)|(?<=${letter}-${letter}-))(?=${letter}-?${letter})` +
    `|(?=${blank}|$)|(?<=${punctuated})(?=-{2,}${w})))`,
  "u",
);
const blanks = new RegExp(`(${blank}+)`);

/** A longer word without blanks could keep the pattern busy for long. */
const maxWordLength = 10_000;

/** What stays together: words and the blanks between them; a word with hyphens is several. */
function splitChunks(line: string, { breaksOnHyphens }: WrapForm, run: Run): readonly string[] {
  run.budget.make(line.length);
  run.budget.scan(line.length);
  if (line.split(/[\t\n\v\f\r ]/).some((word) => word.length > maxWordLength)) {
    fail("limit", `wordwrap takes words of at most ${maxWordLength} characters`);
  }
  return line.split(breaksOnHyphens ? separators : blanks).filter((chunk) => chunk !== "");
}

class Wrapper {
  readonly #form: WrapForm;
  readonly #run: Run;
  /** The next one is the last. */
  readonly #chunks: (readonly string[])[];
  readonly #lines: string[] = [];

  constructor(chunks: (readonly string[])[], form: WrapForm, run: Run) {
    this.#chunks = chunks;
    this.#form = form;
    this.#run = run;
  }

  lines(): readonly string[] {
    while (this.#chunks.length > 0) this.#addLine();
    return this.#lines;
  }

  #addLine(): void {
    const line: (readonly string[])[] = [];
    let length = 0;
    if (isBlank(this.#chunks.at(-1)) && this.#lines.length > 0) this.#chunks.pop();
    for (let next = this.#chunks.at(-1); next !== undefined; next = this.#chunks.at(-1)) {
      if (length + next.length > this.#form.width) break;
      this.#run.budget.step();
      line.push(next);
      length += next.length;
      this.#chunks.pop();
    }
    const next = this.#chunks.at(-1);
    if (next !== undefined && next.length > this.#form.width) this.#breakWord(next, line, length);
    if (isBlank(line.at(-1))) line.pop();
    if (line.length > 0) this.#lines.push(line.flat().join(""));
  }

  #breakWord(word: readonly string[], line: (readonly string[])[], length: number): void {
    if (!this.#form.breaksLongWords) {
      if (line.length > 0) return;
      line.push(word);
      this.#chunks.pop();
      return;
    }
    const room = this.#form.width - length;
    this.#run.budget.scan(word.length);
    const end = this.#form.breaksOnHyphens ? hyphenEnd(word, room) : room;
    line.push(word.slice(0, end));
    this.#chunks[this.#chunks.length - 1] = word.slice(end);
  }
}

/** After the last hyphen that fits and has something else before it; else all the room. */
function hyphenEnd(word: readonly string[], room: number): number {
  const hyphen = word.slice(0, room).lastIndexOf("-");
  const isUsable = hyphen > 0 && word.slice(0, hyphen).some((character) => character !== "-");
  return isUsable ? hyphen + 1 : room;
}

function isBlank(chunk: readonly string[] | undefined): boolean {
  return chunk !== undefined && trimStart(chunk.join("")) === "";
}
