/** text % values: Python's printf-style formatting. */
import { countCodePoints, sliceCodePoints } from "./code-points.ts";
import { fail } from "./errors.ts";
import { floatDigits } from "./float-format.ts";
import { toFloat } from "./format-spec.ts";
import { integerText, represent, toText } from "./represent.ts";
import {
  Dict,
  defined,
  integerOf,
  List,
  orElse,
  Range,
  type Run,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

const directive =
  /%(?:\(((?:[^()]|\([^()]*\))*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?([\s\S])/y;

/** `escapeValue`: applied to what %s, %r and %a insert; that is how a Markup formats. */
export function percentFormat(
  text: string,
  values: Value,
  run: Run,
  escapeValue: (value: Value) => string = (value) => toText(value, run),
): string {
  const source = new Source(values, run);
  let result = "";
  let position = 0;
  for (;;) {
    const next = text.indexOf("%", position);
    result += text.slice(position, next < 0 ? undefined : next);
    if (next < 0) break;
    directive.lastIndex = next;
    const match = directive.exec(text);
    if (match === null) fail("value", "incomplete format");
    position = directive.lastIndex;
    result += formatOne(match, { source, run, escapeValue });
    run.budget.make(result.length - next);
  }
  source.end();
  return result;
}

/** What the directives take their values from, one after the other or by name. */
class Source {
  readonly #values: Value;
  readonly #run: Run;
  #taken = 0;
  #isNamed = false;

  constructor(values: Value, run: Run) {
    this.#values = values;
    this.#run = run;
  }

  next(): Value {
    const { items } = this;
    const value = items[this.#taken++];
    if (value === undefined || this.#isNamed) fail("type", "not enough arguments for the format");
    return value;
  }

  named(name: string): Value {
    this.#isNamed = true;
    if (!this.#isMapping) fail("type", "the format requires a mapping");
    const values = defined(this.#values);
    if (!(values instanceof Dict)) fail("type", "the format requires a mapping");
    const value = this.#run.item(values, name);
    return value instanceof Undefined ? fail("lookup", `the mapping has no "${name}"`) : value;
  }

  end(): void {
    if (this.#isNamed || this.#isMapping || this.#taken >= this.items.length) return;
    fail("type", "not all arguments are used by the format");
  }

  get items(): readonly Value[] {
    return this.#values instanceof Tuple ? this.#values.items : [this.#values];
  }

  get #isMapping(): boolean {
    const values = this.#values;
    return [Dict, List, Range, Undefined].some((type) => values instanceof type);
  }
}

interface Context {
  readonly source: Source;
  readonly run: Run;
  readonly escapeValue: (value: Value) => string;
}

interface Form {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
}

function formatOne(match: RegExpExecArray, context: Context): string {
  const { source, run } = context;
  const [whole, name, flags = "", writtenWidth, writtenPrecision, type = ""] = match;
  const named = name === undefined ? undefined : source.named(name);
  const width = countIn(writtenWidth, source) ?? 0;
  const hasPoint = /\.(?:\*|\d+)?[hlL]?[\s\S]$/.test(whole);
  const precision = countIn(writtenPrecision, source) ?? (hasPoint ? 0 : undefined);
  if (type === "%") {
    return whole === "%%" ? whole.slice(1) : fail("value", `unsupported format "${whole}"`);
  }
  const form = {
    flags: width < 0 ? `${flags}-` : flags,
    width: Math.abs(width),
    precision: precision === undefined ? undefined : Math.max(0, precision),
  };
  run.budget.make(form.width + (form.precision ?? 0));
  const value = orElse(named, () => source.next());
  if ("diuoxX".includes(type)) return padNumber(integerParts(value, type, form), form);
  if ("eEfFgG".includes(type)) return padNumber(floatParts(value, type, form), form);
  return padText(textFor(value, type, form, context), form, run);
}

function countIn(written: string | undefined, source: Source): number | undefined {
  if (written === undefined) return undefined;
  const value = written === "*" ? integerOf(source.next()) : BigInt(written);
  if (value === undefined) fail("type", "* wants an integer");
  return Number(value);
}

interface Parts {
  readonly isNegative: boolean;
  readonly prefix: string;
  readonly digits: string;
}

function integerParts(value: Value, type: string, { flags, precision }: Form): Parts {
  const isDecimal = "diu".includes(type);
  const integer = isDecimal ? truncated(value) : integerOf(defined(value));
  if (integer === undefined) fail("type", `%${type} wants a number, not a ${typeName(value)}`);
  const size = integer < 0n ? -integer : integer;
  let digits = isDecimal ? integerText(size) : size.toString(type === "o" ? 8 : 16);
  if (type === "X") digits = digits.toUpperCase();
  const prefix = flags.includes("#") && !isDecimal ? `0${type}` : "";
  return { isNegative: integer < 0n, prefix, digits: digits.padStart(precision ?? 0, "0") };
}

/** int(value) of a number. */
function truncated(value: Value): bigint | undefined {
  defined(value);
  if (typeof value !== "number") return integerOf(value);
  if (!Number.isFinite(value)) fail("value", `${value} has no integer`);
  return BigInt(Math.trunc(value));
}

function floatParts(value: Value, type: string, { flags, precision }: Form): Parts {
  const integer = integerOf(value);
  const float = integer === undefined ? value : toFloat(integer);
  if (typeof float !== "number") {
    return fail("type", `%${type} wants a number, not a ${typeName(defined(value))}`);
  }
  const lower = type.toLowerCase();
  const kind = lower === "e" || lower === "f" ? lower : "g";
  const digits = floatDigits(float, { type: kind, precision, isAlternate: flags.includes("#") });
  return {
    isNegative: float < 0 || Object.is(float, -0),
    prefix: "",
    digits: type === lower ? digits : digits.toUpperCase(),
  };
}

function padNumber({ isNegative, prefix, digits }: Parts, { flags, width }: Form): string {
  const plus = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  const head = (isNegative ? "-" : plus) + prefix;
  const room = width - head.length;
  if (flags.includes("-")) return (head + digits).padEnd(width);
  if (flags.includes("0")) return head + digits.padStart(room, "0");
  return (head + digits).padStart(width);
}

function textFor(value: Value, type: string, form: Form, { run, escapeValue }: Context): string {
  let text: string;
  if (type === "s") text = escapeValue(value);
  else if (type === "r") text = escapeValue(represent(value, run));
  else if (type === "a") text = escapeValue(asciiOf(represent(value, run)));
  else if (type === "c") return characterOf(value, run);
  else return fail("value", `unsupported format character "${type}"`);
  return form.precision === undefined ? text : sliceCodePoints(text, 0, form.precision, run.budget);
}

function characterOf(value: Value, run: Run): string {
  const integer = integerOf(defined(value));
  if (integer !== undefined) {
    if (integer < 0n || integer > 0x10ffffn) fail("value", "no character has this number");
    return String.fromCodePoint(Number(integer));
  }
  const text = textOf(value);
  if (text === undefined || countCodePoints(text, run.budget) !== 1) {
    return fail("type", "%c wants a number or a character");
  }
  return text;
}

/** ascii(): everything beyond ASCII as an escape. `text`: from repr. */
export function asciiOf(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
}

function padText(text: string, { flags, width }: Form, run: Run): string {
  const room = width - countCodePoints(text, run.budget);
  if (room <= 0) return text;
  return flags.includes("-") ? text + " ".repeat(room) : " ".repeat(room) + text;
}
