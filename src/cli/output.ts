/** How a command speaks: results to stdout, notices to stderr, nothing that acts on the terminal or forges a line. */
import { visibleJson, visibleLines, visibleText } from "../core/visible-text.ts";

/** Characters of a notice: some of ours list what a model's file has. */
const maxNotice = 2000;

/** One line on stderr. What comes from a file or a model may be in it. */
export function say(notice: string): void {
  process.stderr.write(`hearth: ${visibleText(notice, maxNotice)}\n`);
}

/** A result of one or more lines; foreign names in it have been made one line each, as table() does. */
export function print(text: string): void {
  process.stdout.write(`${visibleLines(text)}\n`);
}

/** One JSON object on a line. */
export function printJson(value: unknown): void {
  process.stdout.write(`${visibleJson(value)}\n`);
}
