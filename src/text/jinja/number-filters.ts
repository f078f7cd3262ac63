/** Built-in filters that make numbers, or texts of them. */

import type { Arguments } from "./arguments.ts";
import { calculate } from "./arithmetic.ts";
import { fail } from "./errors.ts";
import { divideToEven, roundFloat, toFixedExactly } from "./exact-decimal.ts";
import { type Filter, filter } from "./filter.ts";
import { toFloat } from "./format-spec.ts";
import { parseFloatText, parseInteger } from "./parse-number.ts";
import { integerText } from "./represent.ts";
import { defined, integerOf, numberOf, type Run, textOf, typeName, type Value } from "./values.ts";

export const numberFilters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ["abs", filter("abs", "/", absolute)],
  ["filesizeformat", filter("filesizeformat", "binary?", formatFileSize)],
  ["float", filter("float", "default?", (input, args) => floatOf(input) ?? args.at(0, 0))],
  ["int", filter("int", "default?, base?", toInteger)],
  ["round", filter("round", "precision?, method?", round)],
]);

function absolute(input: Value): Value {
  const number = numberOf(defined(input));
  if (number === undefined) fail("type", `a ${typeName(input)} has no absolute value`);
  if (typeof number === "number") return Math.abs(number);
  return number < 0n ? -number : number;
}

/** float(value); undefined where Python raises a TypeError or a ValueError. */
function floatOf(input: Value): number | undefined {
  const value = defined(input);
  const text = textOf(value);
  if (text !== undefined) return parseFloatText(text);
  const number = numberOf(value);
  return typeof number === "bigint" ? toFloat(number) : number;
}

/** int(value, base), else int(float(value)), else the default. */
function toInteger(input: Value, args: Arguments): Value {
  const value = defined(input);
  const integer = integerOf(value);
  if (integer !== undefined) return integer;
  const text = textOf(value);
  const base = integerOf(args.at(1, 10n));
  const parsed = text === undefined || base === undefined ? undefined : parsedInteger(text, base);
  if (parsed !== undefined) return parsed;
  if (value === Infinity || value === -Infinity) fail("value", "infinity is no integer");
  const float = floatOf(value);
  const isNumber = float !== undefined && Number.isFinite(float);
  return isNumber ? BigInt(Math.trunc(float)) : args.at(0, 0n);
}

function parsedInteger(text: string, base: bigint): bigint | undefined {
  const isBase = base === 0n || (base >= 2n && base <= 36n);
  return isBase ? parseInteger(text, Number(base)) : undefined;
}

function round(input: Value, args: Arguments, run: Run): Value {
  const method = args.at(1, "common");
  if (method === "common") return roundCommon(input, args);
  if (method !== "ceil" && method !== "floor") fail("value", "the method is no way to round");
  const power = calculate("**", 10n, args.at(0, 0n), run);
  const scaled = calculate("*", input, power, run);
  return calculate("/", wholeOf(scaled, method), power, run);
}

function wholeOf(value: Value, method: "ceil" | "floor"): bigint {
  const number = numberOf(value);
  if (typeof number === "bigint") return number;
  if (number === undefined) fail("type", `a ${typeName(value)} cannot be rounded`);
  if (!Number.isFinite(number)) fail("value", `${number} has no integer`);
  return BigInt(Math[method](number));
}

/** round(value, precision): half to even of the exact value. */
function roundCommon(input: Value, args: Arguments): Value {
  const number = numberOf(defined(input));
  if (number === undefined) fail("type", `a ${typeName(input)} cannot be rounded`);
  const isWhole = args.has(0) && args.at(0) === null;
  if (typeof number === "bigint") {
    return isWhole ? number : roundInteger(number, args.count(0, 0));
  }
  if (!isWhole) return roundFloat(number, args.count(0, 0));
  if (!Number.isFinite(number)) fail("value", `${number} has no integer`);
  return BigInt(roundFloat(number, 0));
}

function roundInteger(value: bigint, precision: number): bigint {
  if (precision >= 0) return value;
  if (-precision > integerText(value).length) return 0n;
  const unit = 10n ** BigInt(-precision);
  const size = divideToEven(value < 0n ? -value : value, unit) * unit;
  return value < 0n ? -size : size;
}

function formatFileSize(input: Value, args: Arguments): string {
  const bytes = floatOf(input);
  if (bytes === undefined) return fail("value", `a ${typeName(input)} is no size of a file`);
  const base = args.isTrue(0) ? 1024 : 1000;
  if (bytes === 1) return "1 Byte";
  if (bytes < base) return `${sizeBelowBase(bytes)} Bytes`;
  const letters = "kMGTPEZY";
  let power = 1;
  while (power < letters.length && !(bytes < base ** (power + 1))) power++;
  const letter = letters.charAt(power - 1);
  const size = (base * bytes) / base ** (power + 1);
  const text = Number.isFinite(size)
    ? toFixedExactly(size, 1)
    : String(size).slice(0, 3).toLowerCase();
  return `${text} ${base === 1024 ? `${letter.toUpperCase()}iB` : `${letter}B`}`;
}

function sizeBelowBase(bytes: number): bigint {
  return Number.isFinite(bytes) ? BigInt(Math.trunc(bytes)) : fail("value", `${bytes} is no size`);
}
