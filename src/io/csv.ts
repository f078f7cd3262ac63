/** CSV as RFC 4180 has it: quoted fields may hold commas, line breaks and doubled quotes. Read whole. */
import { FileFormatError } from "../core/errors.ts";
import { readTextFile } from "./open-file.ts";

/** Records of fields, the header among them. @throws FileFormatError for a quote that is not closed. */
export function readCsvRecords(path: string): readonly (readonly string[])[] {
  return parseCsv(readTextFile(path), path);
}

/** A field up to its comma, line break or the end; quoted, or free of quotes and separators. */
const fieldPattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
const lineBreaks = /\r\n|\n|\r/g;

export interface CsvRecord {
  /** On which it begins, counted from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

export function parseCsv(text: string, file: string): readonly (readonly string[])[] {
  return locateCsv(text, file).map(({ fields }) => fields);
}

/** Records with the lines on which they begin. @throws FileFormatError for a quote that is not closed. */
export function locateCsv(text: string, file: string): readonly CsvRecord[] {
  const records: CsvRecord[] = [];
  let record: string[] = [];
  let at = 0;
  let line = 1;
  let firstLine = 1;
  while (at < text.length) {
    fieldPattern.lastIndex = at;
    const match = fieldPattern.exec(text);
    if (match === null) throw badQuote(text, { at, file });
    const [whole, quoted, plain = "", separator] = match;
    record.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    at += whole.length;
    line += whole.match(lineBreaks)?.length ?? 0;
    if (separator === ",") continue;
    if (record.length > 1 || record[0] !== "") records.push({ line: firstLine, fields: record });
    record = [];
    firstLine = line;
  }
  // A comma at the very end promises one more field.
  if (record.length > 0) records.push({ line: firstLine, fields: [...record, ""] });
  return records;
}

function badQuote(
  text: string,
  place: { readonly at: number; readonly file: string },
): FileFormatError {
  const line = text.slice(0, place.at).split(lineBreaks).length;
  return new FileFormatError({
    file: place.file,
    where: `line ${line}`,
    found: JSON.stringify(text.slice(place.at, place.at + 40)),
    expected: 'a field; one with quotes inside is "written ""so"" "',
  });
}
