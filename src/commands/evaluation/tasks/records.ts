/** Records of an evaluation set: fields by name, each record knowing its file and line, so that errors can say where. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { FileFormatError, OptionError } from "../../../core/errors.ts";
import { locateCsv } from "../../../io/csv.ts";
import { readTextFile } from "../../../io/open-file.ts";

export class DataRecord {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(file: string, line: number, fields: Readonly<Record<string, unknown>>) {
    this.file = file;
    this.line = line;
    this.#fields = fields;
  }

  has(key: string): boolean {
    return key in this.#fields;
  }

  value(key: string): unknown {
    return this.#fields[key];
  }

  /** @throws FileFormatError unless the field is a text that is not blank. */
  text(key: string): string {
    const value = this.#fields[key];
    if (typeof value === "string" && value.trim() !== "") return value;
    throw this.problem(key, value, "a text");
  }

  /** Where the field's value stands in `allowed`; numbers are compared as they are written. */
  indexIn(key: string, allowed: readonly string[]): number {
    const value = this.#fields[key];
    const index = allowed.indexOf(typeof value === "string" ? value.trim() : String(value));
    if (index >= 0) return index;
    throw this.problem(key, value, `one of ${allowed.join(", ")}`);
  }

  problem(key: string, found: unknown, expected: string): FileFormatError {
    return new FileFormatError({
      file: this.file,
      where: `line ${this.line}, ${key}`,
      found: found === undefined ? "nothing" : JSON.stringify(found).slice(0, 80),
      expected,
    });
  }
}

/** The first of `names` that exists in the folder. @throws OptionError naming what was looked for. */
export function findDataFile(folder: string, names: readonly string[]): string {
  const found = names.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new OptionError("data", folder, `a folder with ${names.join(" or ")}`);
}

/** A JSON array of objects, or one object a line. @throws FileFormatError with the line that is not a JSON object. */
export function readJsonRecords(path: string): readonly DataRecord[] {
  const text = readTextFile(path);
  const records = text.trimStart().startsWith("[") ? fromArray(text, path) : fromLines(text, path);
  if (records.length > 0) return records;
  throw new FileFormatError({
    file: path,
    where: "line 1",
    found: "no record",
    expected: "JSON objects",
  });
}

/** CSV with a header. @throws FileFormatError for a record with another number of fields than the header. */
export function readCsvRecordsNamed(path: string): readonly DataRecord[] {
  const [header, ...rows] = locateCsv(readTextFile(path), path);
  return rows.map(({ line, fields }) => {
    checkFieldCount(path, { line, fields }, header?.fields.length ?? 0);
    const named = Object.fromEntries(fields.map((field, i) => [header?.fields[i] ?? "", field]));
    return new DataRecord(path, line, named);
  });
}

export function checkFieldCount(
  file: string,
  row: { readonly line: number; readonly fields: readonly string[] },
  expected: number,
): void {
  if (row.fields.length === expected) return;
  throw new FileFormatError({
    file,
    where: `line ${row.line}`,
    found: `${row.fields.length} fields`,
    expected: `${expected}`,
  });
}

function fromLines(text: string, file: string): readonly DataRecord[] {
  const records: DataRecord[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    records.push(asRecord(parseAt(line, { file, line: index + 1 }), { file, line: index + 1 }));
  }
  return records;
}

interface Place {
  readonly file: string;
  readonly line: number;
}

function fromArray(text: string, file: string): readonly DataRecord[] {
  const parsed = parseAt(text, { file, line: 1 });
  if (!Array.isArray(parsed)) return [];
  const lines = linesOfElements(text);
  return parsed.map((value: unknown, i) => asRecord(value, { file, line: lines[i] ?? 1 }));
}

function asRecord(value: unknown, place: Place): DataRecord {
  if (isFields(value)) return new DataRecord(place.file, place.line, value);
  throw new FileFormatError({
    file: place.file,
    where: `line ${place.line}`,
    found: JSON.stringify(value).slice(0, 40),
    expected: "a JSON object",
  });
}

export function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `place.line` is the line on which `text` begins. */
function parseAt(text: string, place: Place): unknown {
  const parsed = tryParse(text);
  if (parsed.kind === "value") return parsed.value;
  const lines = text.split("\n");
  const wrong = firstWrongLine(lines);
  throw new FileFormatError({
    file: place.file,
    where: `line ${place.line + wrong}`,
    found: JSON.stringify((lines[wrong] ?? "").trim().slice(0, 40)),
    expected: `JSON (${parsed.problem.replace(/\s+/g, " ")})`,
  });
}

type Parsed =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "incomplete" | "wrong"; readonly problem: string };

function tryParse(text: string): Parsed {
  try {
    return { kind: "value", value: JSON.parse(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const problem = error.message;
    const position = Number(/position (\d+)/.exec(problem)?.[1] ?? 0);
    const isIncomplete = /end of JSON|Unterminated/.test(problem) || position >= text.length;
    return { kind: isIncomplete ? "incomplete" : "wrong", problem };
  }
}

/** By bisection, as not every message of JSON.parse has a position: up to the line before, the text is only incomplete. */
function firstWrongLine(lines: readonly string[]): number {
  let good = 0;
  let bad = lines.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (tryParse(lines.slice(0, middle).join("\n")).kind === "wrong") bad = middle;
    else good = middle;
  }
  return bad - 1;
}

/** The line on which each element of a JSON array begins, for an array of objects that parses. */
function linesOfElements(text: string): readonly number[] {
  const lines: number[] = [];
  let line = 1;
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]\n]/g)) {
    if (token === "\n") line++;
    else if (token === "{" || token === "[") {
      if (depth === 1) lines.push(line);
      depth++;
    } else if (token === "}" || token === "]") depth--;
  }
  return lines;
}
