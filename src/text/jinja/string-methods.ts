/** The methods of str that the sandbox allows. */
import { type Arguments, matchArguments } from "./arguments.ts";
import { codePointsOf, countCodePoints, unitsBefore } from "./code-points.ts";
import { fail } from "./errors.ts";
import { formatFields } from "./format-method.ts";
import { format } from "./format-spec.ts";
import { escapeText, escapeValue } from "./html.ts";
import { iterate } from "./iterate.ts";
import { capitalize, swapCase, toTitle } from "./letters.ts";
import {
  partition,
  partitionFromEnd,
  replace,
  split,
  splitFromEnd,
  splitLines,
  strip,
} from "./search-text.ts";
import { predicates } from "./string-predicates.ts";
import { makeTranslation, translate } from "./translate.ts";
import { foldCase } from "./unicode.ts";
import {
  type Call,
  Callable,
  Dict,
  List,
  Markup,
  type Run,
  Tuple,
  textOf,
  typeName,
  type Value,
} from "./values.ts";

interface Method {
  readonly parameters: string;
  /** The text of a Markup, and its parts, are Markup again. */
  readonly keepsMarkup: boolean;
  readonly apply: (text: string, args: Arguments, run: Run) => Value;
}

function plain(parameters: string, apply: Method["apply"]): Method {
  return { parameters, keepsMarkup: false, apply };
}

function kept(parameters: string, apply: Method["apply"]): Method {
  return { parameters, keepsMarkup: true, apply };
}

const stripParameters = "chars?, /";
const searchParameters = "sub, start?, end?, /";

const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["capitalize", kept("/", (text, _, run) => capitalize(codePointsOf(text, run.budget)))],
  ["casefold", kept("/", (text, _, run) => codePointsOf(text, run.budget).map(foldCase).join(""))],
  ["center", kept("width, fillchar?, /", (text, args, run) => pad(text, "center", args, run))],
  ["count", plain(searchParameters, (text, args, run) => BigInt(countIn(text, args, run)))],
  ["encode", plain("encoding?, errors?", () => fail("unsupported", "bytes are not supported"))],
  ["endswith", plain(searchParameters, (text, args, run) => hasAffix(text, "end", args, run))],
  ["expandtabs", kept("tabsize?", (text, args, run) => expandTabs(text, args.count(0, 8), run))],
  ["find", plain(searchParameters, (text, args, run) => BigInt(find(text, "first", args, run)))],
  ["index", plain(searchParameters, (text, args, run) => index(find(text, "first", args, run)))],
  ["join", plain("iterable, /", (text, args, run) => join(text, args.at(0), run))],
  ["ljust", kept("width, fillchar?, /", (text, args, run) => pad(text, "left", args, run))],
  ["lower", kept("/", (text, _, run) => changed(text.toLowerCase(), run))],
  ["lstrip", kept(stripParameters, (text, args, run) => stripped(text, "start", args, run))],
  ["partition", kept("sep, /", (text, args, run) => new Tuple(partition(text, args.text(0), run)))],
  ["removeprefix", kept("prefix, /", (text, args) => withoutPrefix(text, args.text(0)))],
  ["removesuffix", kept("suffix, /", (text, args) => withoutSuffix(text, args.text(0)))],
  ["replace", kept("old, new, count?, /", (text, args, run) => replaced(text, args, run))],
  ["rfind", plain(searchParameters, (text, args, run) => BigInt(find(text, "last", args, run)))],
  ["rindex", plain(searchParameters, (text, args, run) => index(find(text, "last", args, run)))],
  ["rjust", kept("width, fillchar?, /", (text, args, run) => pad(text, "right", args, run))],
  [
    "rpartition",
    kept("sep, /", (text, args, run) => new Tuple(partitionFromEnd(text, args.text(0), run))),
  ],
  [
    "rsplit",
    kept(
      "sep?, maxsplit?",
      (text, args, run) => new List(splitFromEnd(text, splitForm(args), run)),
    ),
  ],
  ["rstrip", kept(stripParameters, (text, args, run) => stripped(text, "end", args, run))],
  [
    "split",
    kept("sep?, maxsplit?", (text, args, run) => new List(split(text, splitForm(args), run))),
  ],
  [
    "splitlines",
    kept("keepends?", (text, args, run) => new List(splitLines(text, args.isTrue(0), run))),
  ],
  ["startswith", plain(searchParameters, (text, args, run) => hasAffix(text, "start", args, run))],
  ["strip", kept(stripParameters, (text, args, run) => stripped(text, "both", args, run))],
  ["swapcase", kept("/", (text, _, run) => swapCase(codePointsOf(text, run.budget)))],
  ["title", kept("/", (text, _, run) => toTitle(codePointsOf(text, run.budget)))],
  ["translate", kept("table, /", (text, args, run) => translate(text, args.at(0), run))],
  ["maketrans", plain("x, y?, z?, /", (_, args, run) => makeTranslation(args, run))],
  ["upper", kept("/", (text, _, run) => changed(text.toUpperCase(), run))],
  ["zfill", kept("width, /", (text, args, run) => fillWithZeros(text, args.count(0, 0), run))],
]);

/** text.name as a bound method; undefined if str has no such method. */
export function stringMethod(self: string | Markup, name: string): Callable | undefined {
  const text = textOf(self) ?? "";
  const bound = (call: (call: Call, run: Run) => Value): Callable =>
    new Callable(name, call, { type: "builtin_function_or_method" });
  const predicate = predicates.get(name);
  if (predicate !== undefined) {
    const match = matchArguments(name, "/");
    return bound((call, run) => {
      match(call, run);
      return predicate(codePointsOf(text, run.budget));
    });
  }
  if (name === "format") return bound((call, run) => formatted(self, call, run));
  if (name === "format_map") return bound((call, run) => formatted(self, mapCall(call), run));
  const markup = self instanceof Markup ? markupMethods.get(name) : undefined;
  const method = markup ?? methods.get(name);
  if (method === undefined) return undefined;
  const match = matchArguments(name, method.parameters);
  return bound((call, run) => {
    run.budget.read(text.length);
    const result = method.apply(text, match(call, run), run);
    return self instanceof Markup && method.keepsMarkup ? toMarkup(result) : result;
  });
}

function toMarkup(value: Value): Value {
  if (typeof value === "string") return new Markup(value);
  if (value instanceof List) return new List(value.items.map(toMarkup));
  return value instanceof Tuple ? new Tuple(value.items.map(toMarkup)) : value;
}

/** What Markup does otherwise than str: it escapes what comes in. */
const markupMethods: ReadonlyMap<string, Method> = new Map<string, Method>([
  [
    "join",
    kept("iterable, /", (text, args, run) => {
      const items = [...iterate(args.at(0), run)].map((item) => escapeValue(item, run));
      return join(text, new List(items), run);
    }),
  ],
  [
    "replace",
    kept("old, new, count?, /", (text, args, run) => {
      const by = escapeValue(args.at(1), run);
      return replace(text, { old: args.text(0), by, most: args.count(2, -1) }, run);
    }),
  ],
  ["striptags", plain("/", () => fail("unsupported", "Markup.striptags() is not supported"))],
  ["unescape", plain("/", () => fail("unsupported", "Markup.unescape() is not supported"))],
  ["escape", plain("s, /", (_, args, run) => new Markup(escapeValue(args.at(0), run)))],
]);

function formatted(self: string | Markup, call: Call, run: Run): Value {
  if (!(self instanceof Markup)) return formatFields(self, call, run);
  const escapeField = (value: Value, spec: string): string => {
    if (!(value instanceof Markup)) return escapeText(format(value, spec, run), run);
    return spec === "" ? value.text : fail("value", "a Markup takes no format");
  };
  return new Markup(formatFields(self.text, call, run, escapeField));
}

function mapCall({ positional, named }: Call): Call {
  const [map] = positional;
  if (named.size > 0 || positional.length !== 1 || map === undefined) {
    fail("type", "format_map() takes exactly one argument");
  }
  if (!(map instanceof Dict)) fail("type", `format_map() wants a dict, not a ${typeName(map)}`);
  const names = [...map.entries.values()].map(
    ([key, value]) => [textOf(key) ?? "", value] as const,
  );
  return { positional: [], named: new Map(names) };
}

function changed(text: string, run: Run): string {
  run.budget.make(text.length);
  return text;
}

function stripped(text: string, side: "both" | "start" | "end", args: Arguments, run: Run): string {
  return strip(text, args.textOrNone(0), side, run);
}

function splitForm(args: Arguments): {
  readonly separator: string | undefined;
  readonly most: number;
} {
  return { separator: args.textOrNone(0), most: args.count(1, -1) };
}

function replaced(text: string, args: Arguments, run: Run): string {
  return replace(text, { old: args.text(0), by: args.text(1), most: args.count(2, -1) }, run);
}

function withoutPrefix(text: string, prefix: string): string {
  return text.startsWith(prefix) ? text.slice(prefix.length) : text;
}

function withoutSuffix(text: string, suffix: string): string {
  return suffix !== "" && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
}

interface Bounds {
  /** In code points. */
  readonly start: number;
  /** In code points; negative if the part would end before it starts. */
  readonly length: number;
  readonly part: string;
}

/** text[start:end] for the methods that search: a start beyond the end finds nothing, not even "". */
function boundsOf(text: string, args: Arguments, run: Run): Bounds {
  const length = countCodePoints(text, run.budget);
  const startIndex = args.countOrNone(1) ?? 0;
  const endIndex = args.countOrNone(2) ?? length;
  const start = Math.max(0, startIndex < 0 ? startIndex + length : startIndex);
  const end = Math.max(0, Math.min(length, endIndex < 0 ? endIndex + length : endIndex));
  if (start > end) return { start, length: -1, part: "" };
  const part =
    start === 0 && end === length
      ? text
      : text.slice(unitsBefore(text, start, run.budget), unitsBefore(text, end, run.budget));
  return { start, length: end - start, part };
}

/** In code points; -1 if it is not there. */
function find(text: string, which: "first" | "last", args: Arguments, run: Run): number {
  const sought = args.text(0);
  const { start, length, part } = boundsOf(text, args, run);
  if (length < 0) return -1;
  const found = which === "first" ? part.indexOf(sought) : part.lastIndexOf(sought);
  return found < 0 ? -1 : start + countCodePoints(part.slice(0, found), run.budget);
}

function index(found: number): bigint {
  return found < 0 ? fail("value", "the part is not in the text") : BigInt(found);
}

function countIn(text: string, args: Arguments, run: Run): number {
  const sought = args.text(0);
  const { length, part } = boundsOf(text, args, run);
  if (length < 0) return 0;
  if (sought === "") return length + 1;
  run.budget.make(part.length);
  return part.split(sought).length - 1;
}

/** startswith and endswith: of one text, or any of a tuple. */
function hasAffix(text: string, side: "start" | "end", args: Arguments, run: Run): boolean {
  const { length, part } = boundsOf(text, args, run);
  const given = args.at(0);
  const affixes = given instanceof Tuple ? given.items : [given];
  return affixes.some((affix) => {
    const sought = textOf(affix);
    if (sought === undefined) fail("type", `a text cannot start or end with a ${typeName(affix)}`);
    if (length < 0) return false;
    return side === "start" ? part.startsWith(sought) : part.endsWith(sought);
  });
}

function join(separator: string, iterable: Value, run: Run): string {
  const parts: string[] = [];
  for (const item of iterate(iterable, run)) {
    const text = textOf(item);
    if (text === undefined) fail("type", `join() wants texts, not a ${typeName(item)}`);
    run.budget.make(text.length + separator.length);
    parts.push(text);
  }
  return parts.join(separator);
}

function pad(text: string, place: "left" | "center" | "right", args: Arguments, run: Run): string {
  const width = args.count(0, 0);
  return padText(text, { width, place, fill: args.character(1, " ") }, run);
}

interface Padding {
  readonly width: number;
  readonly place: "left" | "center" | "right";
  readonly fill: string;
}

export function padText(text: string, { width, place, fill }: Padding, run: Run): string {
  const room = width - countCodePoints(text, run.budget);
  if (room <= 0) return text;
  run.budget.make(width);
  if (place === "left") return text + fill.repeat(room);
  if (place === "right") return fill.repeat(room) + text;
  const left = Math.floor(room / 2) + (room % 2 === 1 && width % 2 === 1 ? 1 : 0);
  return fill.repeat(left) + text + fill.repeat(room - left);
}

function fillWithZeros(text: string, width: number, run: Run): string {
  const sign = text.startsWith("-") || text.startsWith("+") ? text.charAt(0) : "";
  const room = width - countCodePoints(text, run.budget);
  if (room <= 0) return text;
  run.budget.make(width);
  return sign + "0".repeat(room) + text.slice(sign.length);
}

function expandTabs(text: string, size: number, run: Run): string {
  let column = 0;
  let result = "";
  for (const character of codePointsOf(text, run.budget)) {
    if (character === "\t") {
      const blanks = size > 0 ? size - (column % size) : 0;
      run.budget.make(blanks);
      result += " ".repeat(blanks);
      column += blanks;
    } else {
      result += character;
      column = character === "\n" || character === "\r" ? 0 : column + 1;
    }
  }
  return result;
}
