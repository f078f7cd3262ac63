/**
 * Texts to learn from: a text file as one document, or the records of JSONL and CSV files as a document each.
 * Text comes in pieces, so that a corpus may be larger than memory.
 */
import { createHash } from "node:crypto";
import { createReadStream, fstatSync } from "node:fs";
import { basename, extname } from "node:path";
import { FileFormatError } from "../core/errors.ts";
import { readCsvRecords } from "../io/csv.ts";
import { fileAccessError, openForReading } from "../io/open-file.ts";

export interface Corpus {
  readonly name: string;
  /** sha256 of the file, in hex: the same corpus under another name is the same. */
  readonly hash: string;
  /** For an estimate of its tokens. */
  readonly bytes: number;
  /** From the beginning. */
  pieces(): AsyncIterable<CorpusPiece>;
}

export interface CorpusPiece {
  readonly text: string;
  /** False for a text that goes on from the piece before. */
  readonly startsDocument: boolean;
}

/** Fields of a record that hold its text; the first that is there counts. */
const textFields: readonly string[] = ["text", "prompt", "content"];

/** Characters of a piece of a text file: tokenised in a few tens of milliseconds. */
const pieceCharacters = 1 << 16;

/** @throws FileAccessError for a file that cannot be read, FileFormatError of its content when it is read. */
export async function openCorpus(path: string): Promise<Corpus> {
  const read = readerFor(path);
  const descriptor = openForReading(path);
  const bytes = fstatSync(descriptor).size;
  const hash = createHash("sha256");
  try {
    for await (const piece of createReadStream(path, { fd: descriptor })) hash.update(piece);
  } catch (error) {
    throw fileAccessError(path, error);
  }
  return {
    name: basename(path),
    hash: hash.digest("hex"),
    bytes,
    pieces: () => read(path),
  };
}

function readerFor(path: string): (path: string) => AsyncIterable<CorpusPiece> {
  switch (extname(path).toLowerCase()) {
    case ".jsonl":
    case ".ndjson":
      return readJsonLines;
    case ".csv":
      return readCsv;
    case ".xz":
    case ".gz":
    case ".zst":
    case ".zip":
      throw new FileFormatError({
        file: path,
        where: "corpus",
        found: "a compressed file",
        expected: "text, JSONL or CSV; unpack it first",
      });
    default:
      return readText;
  }
}

/** Opened anew: a file that has taken its place in the meantime is judged again. */
function textOfFile(path: string): AsyncIterable<string> {
  return createReadStream(path, { fd: openForReading(path), encoding: "utf8" });
}

/** Characters of a record: a book of a million words has six million. */
const maxLine = 1 << 26;

/** Without their ends. @throws FileFormatError for a line that would not fit into memory. */
async function* linesOf(path: string): AsyncIterable<string> {
  let rest = "";
  let number = 1;
  for await (const chunk of textOfFile(path)) {
    const [first = "", ...others] = chunk.split("\n");
    rest += first;
    for (const other of others) {
      yield rest.replace(/\r$/, "");
      number++;
      rest = other;
    }
    if (rest.length <= maxLine) continue;
    throw new FileFormatError({
      file: path,
      where: `line ${number}`,
      found: `more than ${maxLine} characters`,
      expected: "a record on each line",
    });
  }
  if (rest !== "") yield rest;
}

/** Cut where a line ends, or a word, or at last anywhere. */
async function* readText(path: string): AsyncIterable<CorpusPiece> {
  let rest = "";
  let startsDocument = true;
  for await (const chunk of textOfFile(path)) {
    rest += startsDocument ? String(chunk).replace(/^\uFEFF/, "") : String(chunk);
    while (rest.length >= 2 * pieceCharacters) {
      const end = cutBefore(rest, pieceCharacters);
      yield { text: rest.slice(0, end), startsDocument };
      startsDocument = false;
      rest = rest.slice(end);
    }
  }
  if (rest !== "") yield { text: rest, startsDocument };
}

function cutBefore(text: string, limit: number): number {
  const line = text.lastIndexOf("\n", limit - 1);
  if (line > 0) return line + 1;
  const space = text.lastIndexOf(" ", limit - 1);
  if (space > 0) return space;
  // Never between the halves of a surrogate pair.
  const code = text.charCodeAt(limit);
  return code >= 0xdc00 && code <= 0xdfff ? limit - 1 : limit;
}

async function* readJsonLines(path: string): AsyncIterable<CorpusPiece> {
  let number = 0;
  for await (const line of linesOf(path)) {
    number++;
    if (line.trim() === "") continue;
    const text = textOf(parseLine(line.replace(/^\uFEFF/, "")));
    if (text === undefined) {
      throw wrongRecord(path, `line ${number}`, line.slice(0, 60));
    }
    yield { text, startsDocument: true };
  }
}

async function* readCsv(path: string): AsyncIterable<CorpusPiece> {
  const records = readCsvRecords(path);
  const [header = []] = records;
  const column = textFields
    .map((field) => header.findIndex((name) => name.trim().toLowerCase() === field))
    .find((index) => index >= 0);
  if (column === undefined) throw wrongRecord(path, "first line", header.join(", ").slice(0, 60));
  for (const record of records.slice(1)) {
    const text = record[column] ?? "";
    if (text !== "") yield { text, startsDocument: true };
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function textOf(record: unknown): string | undefined {
  if (typeof record !== "object" || record === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(record));
  const text = textFields.map((field) => fields.get(field)).find((one) => typeof one === "string");
  return typeof text === "string" ? text : undefined;
}

function wrongRecord(file: string, where: string, found: string): FileFormatError {
  return new FileFormatError({
    file,
    where,
    found: JSON.stringify(found),
    expected: `a field named ${textFields.join(" or ")} with the text`,
  });
}
