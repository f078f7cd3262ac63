/** Built-in filters that make a text of a text. */

import type { Arguments } from "./arguments.ts";
import { calculate } from "./arithmetic.ts";
import { codePointsOf, countCodePoints, splitFirst } from "./code-points.ts";
import { fail } from "./errors.ts";
import { type Filter, filter } from "./filter.ts";
import { escapeText, escapeValue } from "./html.ts";
import { capitalize } from "./letters.ts";
import { percentFormat } from "./percent-format.ts";
import { toText } from "./represent.ts";
import { replace, splitLines, strip } from "./search-text.ts";
import { slice } from "./slices.ts";
import { padText } from "./string-methods.ts";
import {
  type Call,
  Dict,
  integerOf,
  Markup,
  type Run,
  Tuple,
  textOf,
  typeName,
  type Value,
} from "./values.ts";
import { spaceClass } from "./white-space.ts";
import { wrapText } from "./word-wrap.ts";

/** soft_str: a Markup stays one, everything else becomes str. */
function overText(input: Value, run: Run, change: (text: string) => string): Value {
  const text = change(toText(input, run));
  run.budget.make(text.length);
  return input instanceof Markup ? new Markup(text) : text;
}

export const textFilters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  [
    "capitalize",
    filter("capitalize", "", (input, _, run) =>
      overText(input, run, (text) => capitalize(codePointsOf(text, run.budget))),
    ),
  ],
  [
    "center",
    filter("center", "width?", (input, args, run) =>
      overText(input, run, (text) =>
        padText(text, { width: args.count(0, 80), place: "center", fill: " " }, run),
      ),
    ),
  ],
  ["escape", filter("escape", "/", (input, _, run) => new Markup(escapeValue(input, run)))],
  ["e", filter("escape", "/", (input, _, run) => new Markup(escapeValue(input, run)))],
  [
    "forceescape",
    filter("forceescape", "", (input, _, run) => new Markup(escapeText(toText(input, run), run))),
  ],
  ["format", formatFilter],
  ["indent", filter("indent", "width?, first?, blank?", indent)],
  [
    "lower",
    filter("lower", "", (input, _, run) => overText(input, run, (text) => text.toLowerCase())),
  ],
  [
    "replace",
    filter("replace", "old, new, count?", (input, args, run) => {
      const [old, by] = [toText(args.at(0), run), toText(args.at(1), run)];
      return replace(toText(input, run), { old, by, most: args.countOrNone(2) ?? -1 }, run);
    }),
  ],
  ["safe", filter("safe", "", (input, _, run) => new Markup(toText(input, run)))],
  [
    "string",
    filter("string", "/", (input, _, run) =>
      input instanceof Markup ? input : toText(input, run),
    ),
  ],
  ["title", filter("title", "", (input, _, run) => toTitle(toText(input, run), run))],
  [
    "trim",
    filter("trim", "chars?", (input, args, run) =>
      overText(input, run, (text) => strip(text, args.textOrNone(0), "both", run)),
    ),
  ],
  ["truncate", filter("truncate", "length?, killwords?, end?, leeway?", truncate)],
  [
    "upper",
    filter("upper", "", (input, _, run) => overText(input, run, (text) => text.toUpperCase())),
  ],
  [
    "wordcount",
    filter("wordcount", "", (input, _, run) => {
      const text = toText(input, run);
      run.budget.scan(text.length);
      return BigInt(text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0);
    }),
  ],
  [
    "wordwrap",
    filter("wordwrap", "width?, break_long_words?, wrapstring?, break_on_hyphens?", wordWrap),
  ],
]);

function formatFilter(input: Value, { positional, named }: Call, run: Run): Value {
  if (positional.length > 0 && named.size > 0) {
    fail("value", "format takes positional or named arguments, not both");
  }
  const names = [...named].map(([name, value]) => [`s${name}`, [name, value]] as const);
  const values = named.size > 0 ? new Dict(new Map(names)) : new Tuple(positional);
  if (input instanceof Markup) return calculate("%", input, values, run);
  return percentFormat(toText(input, run), values, run);
}

const wordStart = new RegExp(`([-({\\[<]|${spaceClass})+`, "g");

/** Unlike str.title(), a word goes on after an apostrophe. */
function toTitle(text: string, run: Run): string {
  run.budget.make(text.length);
  let result = "";
  let position = 0;
  for (const { 0: gap, index } of text.matchAll(wordStart)) {
    result += titleWord(text.slice(position, index)) + gap;
    position = index + gap.length;
  }
  return result + titleWord(text.slice(position));
}

function titleWord(word: string): string {
  const [first, rest] = splitFirst(word);
  return first.toUpperCase() + rest.toLowerCase();
}

function indent(input: Value, args: Arguments, run: Run): Value {
  const text = textOf(calculate("+", input, "\n", run)) ?? fail("type", "indent wants a text");
  const written = textOf(args.at(0, 4n));
  const indention = written ?? " ".repeat(widthOf(args, run));
  const [first = "", ...others] = splitLines(text, false, run);
  run.budget.make(text.length + indention.length * (others.length + 1));
  const isBlank = args.isTrue(2);
  const rest = others.map((line) => `\n${isBlank || line !== "" ? indention : ""}${line}`);
  const result = (args.isTrue(1) ? indention : "") + first + rest.join("");
  return input instanceof Markup ? new Markup(result) : result;
}

function widthOf(args: Arguments, run: Run): number {
  const width = Math.max(0, args.count(0, 4));
  run.budget.make(width);
  return width;
}

function truncate(input: Value, args: Arguments, run: Run): Value {
  const end = args.at(2, "...");
  const endLength = lengthFor(end, run);
  const length = args.count(0, 255);
  const leeway = args.countOrNone(3) ?? 5;
  if (length < endLength) fail("value", `truncate wants a length of ${endLength} at least`);
  if (leeway < 0) fail("value", "truncate wants a leeway of 0 at least");
  if (lengthFor(input, run) <= length + leeway) return input;
  if (textOf(input) === undefined) fail("type", `a ${typeName(input)} cannot be truncated`);
  const bounds = { start: null, stop: BigInt(length - endLength), step: null };
  const cut = slice(input, bounds, run);
  if (args.isTrue(1)) return calculate("+", cut, end, run);
  const text = textOf(cut) ?? "";
  const space = text.lastIndexOf(" ");
  const whole = space < 0 ? text : text.slice(0, space);
  return calculate("+", cut instanceof Markup ? new Markup(whole) : whole, end, run);
}

function lengthFor(value: Value, run: Run): number {
  const text = textOf(value);
  if (text !== undefined) return countCodePoints(text, run.budget);
  const length = integerOf(run.filter("length", value, { positional: [], named: new Map() }));
  return Number(length ?? 0n);
}

function wordWrap(input: Value, args: Arguments, run: Run): Value {
  const text = textOf(input) ?? fail("type", `wordwrap wants a text, not a ${typeName(input)}`);
  const between = args.given(2) === undefined ? "\n" : args.text(2);
  const form = {
    width: args.count(0, 79),
    breaksLongWords: args.isTrueUnlessAbsent(1),
    breaksOnHyphens: args.isTrueUnlessAbsent(3),
  };
  const lines = splitLines(text, false, run).map((line) => wrapText(line, form, run));
  const count = lines.reduce((sum, wrapped) => sum + wrapped.length + 1, 0);
  run.budget.make(text.length + count * between.length);
  return lines.map((wrapped) => wrapped.join(between)).join(between);
}
