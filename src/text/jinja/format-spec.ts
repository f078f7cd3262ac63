/** format(value, spec): Python's format specification mini-language. */
import { countCodePoints, sliceCodePoints } from "./code-points.ts";
import { fail } from "./errors.ts";
import { type FloatForm, floatDigits } from "./float-format.ts";
import { integerText, toText } from "./represent.ts";
import { integerOf, type Run, textOf, typeName, type Value } from "./values.ts";

interface Spec {
  readonly fill: string;
  readonly align: "<" | ">" | "^" | "=" | undefined;
  readonly sign: "+" | "-" | " " | undefined;
  readonly isAlternate: boolean;
  readonly width: number;
  readonly grouping: "," | "_" | undefined;
  readonly precision: number | undefined;
  readonly type: string;
  readonly isZeroPadded: boolean;
}

const specPattern =
  /^(?:(.)?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/su;

export function format(value: Value, spec: string, run: Run): string {
  if (spec === "") return toText(value, run);
  const text = textOf(value);
  const integer = integerOf(value);
  if (text !== undefined) return formatText(text, parseSpec(spec, value), run);
  if (integer !== undefined) return formatInteger(integer, parseSpec(spec, value), run);
  if (typeof value === "number") return formatFloat(value, parseSpec(spec, value), run);
  return fail("type", `a ${typeName(value)} takes no format "${spec}"`);
}

function parseSpec(spec: string, value: Value): Spec {
  const match = specPattern.exec(spec);
  if (match === null) fail("value", `"${spec}" is no format of a ${typeName(value)}`);
  const [, fill, align, sign, z, alternate, zero, width, grouping, precision, type = ""] = match;
  if (z !== undefined) fail("unsupported", 'the format option "z" is not supported');
  return {
    fill: fill ?? (zero === undefined ? " " : "0"),
    align: isAlign(align) ? align : undefined,
    sign: sign === "+" || sign === "-" || sign === " " ? sign : undefined,
    isAlternate: alternate !== undefined,
    width: numberIn(width) ?? 0,
    grouping: grouping === "," || grouping === "_" ? grouping : undefined,
    precision: numberIn(precision),
    type,
    isZeroPadded: zero !== undefined,
  };
}

function isAlign(text: string | undefined): text is "<" | ">" | "^" | "=" {
  return text === "<" || text === ">" || text === "^" || text === "=";
}

function numberIn(digits: string | undefined): number | undefined {
  if (digits === undefined) return undefined;
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : fail("value", "too many digits in a format");
}

function formatText(text: string, spec: Spec, run: Run): string {
  const { type, sign, isAlternate, grouping, align, precision } = spec;
  if (
    (type !== "" && type !== "s") ||
    sign !== undefined ||
    isAlternate ||
    grouping !== undefined
  ) {
    fail("value", "this format is not one of a text");
  }
  if (align === "=") fail("value", 'alignment "=" is not one of a text');
  const shown = precision === undefined ? text : sliceCodePoints(text, 0, precision, run.budget);
  return pad(shown, { ...spec, align: align ?? "<" }, run);
}

function formatInteger(value: bigint, spec: Spec, run: Run): string {
  if ("eEfFgG%".includes(spec.type) && spec.type !== "") {
    return formatFloat(toFloat(value), spec, run);
  }
  if (spec.precision !== undefined) fail("value", "an integer takes no precision");
  if (spec.type === "s") fail("value", 'format "s" is not one of an integer');
  if (spec.type === "c") return formatCharacter(value, spec, run);
  const digits = integerDigits(value < 0n ? -value : value, spec);
  const prefix = spec.isAlternate ? (prefixes[spec.type] ?? "") : "";
  return padNumber({ isNegative: value < 0n, prefix, digits, rest: "" }, spec, run);
}

const prefixes: Readonly<Record<string, string>> = { b: "0b", o: "0o", x: "0x", X: "0X" };
const radixes: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16, X: 16 };

function integerDigits(size: bigint, { type, grouping }: Spec): string {
  const radix = radixes[type];
  if (grouping !== undefined && (type === "n" || (grouping === "," && radix !== undefined))) {
    fail("value", `"${grouping}" does not go with "${type}"`);
  }
  if (radix === undefined) return integerText(size);
  const digits = size.toString(radix);
  return type === "X" ? digits.toUpperCase() : digits;
}

function formatCharacter(value: bigint, spec: Spec, run: Run): string {
  if (spec.sign !== undefined || spec.isAlternate || spec.grouping !== undefined) {
    fail("value", 'this option does not go with format "c"');
  }
  if (value < 0n || value > 0x10ffffn) fail("value", "no character has this number");
  const text = String.fromCodePoint(Number(value));
  return pad(text, { ...spec, align: spec.align ?? (spec.isZeroPadded ? "=" : ">") }, run);
}

/** float(value). @throws TemplateError of kind "value" for an integer beyond the largest float */
export function toFloat(value: bigint): number {
  const result = Number(value);
  return Number.isFinite(result) ? result : fail("value", "the integer is too large for a float");
}

function formatFloat(value: number, spec: Spec, run: Run): string {
  const { type, precision, isAlternate } = spec;
  if (type !== "" && !"eEfFgGn%".includes(type)) {
    fail("value", `format "${type}" is not one of a float`);
  }
  if (type === "n" && spec.grouping !== undefined) fail("value", '"," does not go with "n"');
  const form: FloatForm = {
    type: floatType(type, precision),
    precision,
    isAlternate,
    hasPoint: type === "",
  };
  const text = floatDigits(value, form);
  const digits = "EFG".includes(type) && type !== "" ? text.toUpperCase() : text;
  const [, whole = "", rest = ""] = /^(\d*)([\s\S]*)$/.exec(digits) ?? [];
  const isNegative = value < 0 || Object.is(value, -0);
  return padNumber({ isNegative, prefix: "", digits: whole, rest }, spec, run);
}

function floatType(type: string, precision: number | undefined): FloatForm["type"] {
  if (type === "") return precision === undefined ? "r" : "g";
  if (type === "n") return "g";
  const lower = type.toLowerCase();
  return lower === "e" || lower === "f" || lower === "%" ? lower : "g";
}

interface NumberParts {
  readonly isNegative: boolean;
  readonly prefix: string;
  /** Before the point. */
  readonly digits: string;
  /** The point and what follows. */
  readonly rest: string;
}

function padNumber(
  { isNegative, prefix, digits, rest }: NumberParts,
  spec: Spec,
  run: Run,
): string {
  const sign = isNegative ? "-" : spec.sign === "+" || spec.sign === " " ? spec.sign : "";
  const isZeroPadded = spec.isZeroPadded && spec.align === undefined;
  const align = spec.align ?? (isZeroPadded ? "=" : ">");
  const head = sign + prefix;
  const group = spec.type === "b" || spec.type === "o" || spec.type.toLowerCase() === "x" ? 4 : 3;
  if (spec.grouping !== undefined && spec.fill === "0" && align === "=") {
    run.budget.make(spec.width);
    const room = spec.width - head.length - rest.length;
    return head + groupPadded(digits, { separator: spec.grouping, size: group, room }) + rest;
  }
  const grouped = spec.grouping === undefined ? digits : groupDigits(digits, spec.grouping, group);
  if (align !== "=") return pad(head + grouped + rest, { ...spec, align }, run);
  run.budget.make(spec.width);
  const room = spec.width - head.length - grouped.length - rest.length;
  return head + spec.fill.repeat(Math.max(0, room)) + grouped + rest;
}

function groupDigits(digits: string, separator: string, size: number): string {
  const groups: string[] = [];
  for (let end = digits.length; end > 0; end -= size) {
    groups.unshift(digits.slice(Math.max(0, end - size), end));
  }
  return groups.join(separator);
}

/** Zeros are grouped like digits; a separator never comes first. */
function groupPadded(
  digits: string,
  {
    separator,
    size,
    room,
  }: { readonly separator: string; readonly size: number; readonly room: number },
): string {
  let padded = digits;
  let grouped = groupDigits(padded, separator, size);
  while (grouped.length < room) {
    padded = padded.padStart(
      padded.length + Math.max(1, Math.floor((room - grouped.length) / 2)),
      "0",
    );
    grouped = groupDigits(padded, separator, size);
  }
  return grouped;
}

function pad(text: string, spec: Spec, run: Run): string {
  const room = spec.width - countCodePoints(text, run.budget);
  if (room <= 0) return text;
  run.budget.make(spec.width);
  if (spec.align === "<") return text + spec.fill.repeat(room);
  if (spec.align !== "^") return spec.fill.repeat(room) + text;
  const left = Math.floor(room / 2);
  return spec.fill.repeat(left) + text + spec.fill.repeat(room - left);
}
