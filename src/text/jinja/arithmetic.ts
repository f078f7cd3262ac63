/** + - * / // % ** and the signs, of Python's values. */
import type { BinaryOperator } from "./ast.ts";
import { fail } from "./errors.ts";
import { ratioOf } from "./exact-decimal.ts";
import { toFloat } from "./format-spec.ts";
import { escapeText, escapeValue } from "./html.ts";
import { maxIntegerBits } from "./limits.ts";
import { percentFormat } from "./percent-format.ts";
import {
  defined,
  List,
  Markup,
  numberOf,
  type Run,
  Tuple,
  textOf,
  typeName,
  type Value,
  View,
} from "./values.ts";

export function calculate(operator: BinaryOperator, left: Value, right: Value, run: Run): Value {
  if (operator === "%") {
    const text = textOf(left);
    if (text !== undefined) return formatPercent(left, text, right, run);
  }
  defined(left);
  defined(right);
  const a = numberOf(left);
  const b = numberOf(right);
  if (a !== undefined && b !== undefined) return calculateNumbers(operator, a, b);
  const result =
    operator === "+"
      ? join(left, right, run)
      : operator === "*"
        ? (repeat(left, b, run) ?? repeat(right, a, run))
        : undefined;
  if (result !== undefined) return result;
  if (left instanceof View && right instanceof View) {
    fail("unsupported", `${operator} of dict views as sets is not supported`);
  }
  return fail("type", `${operator} does not go with a ${typeName(left)} and a ${typeName(right)}`);
}

function formatPercent(left: Value, text: string, right: Value, run: Run): Value {
  if (!(left instanceof Markup)) return percentFormat(text, right, run);
  return new Markup(percentFormat(text, right, run, (value) => escapeValue(value, run)));
}

function calculateNumbers(
  operator: BinaryOperator,
  a: bigint | number,
  b: bigint | number,
): bigint | number {
  if (typeof a === "bigint" && typeof b === "bigint") return calculateIntegers(operator, a, b);
  return calculateFloats(operator, floatOf(a), floatOf(b));
}

function floatOf(value: bigint | number): number {
  return typeof value === "number" ? value : toFloat(value);
}

function calculateIntegers(operator: BinaryOperator, a: bigint, b: bigint): bigint | number {
  switch (operator) {
    case "+":
      return bounded(a + b);
    case "-":
      return bounded(a - b);
    case "*":
      return bounded(a * b);
    case "/":
      return divide(a, b);
    case "//":
      return floorDivide(a, b);
    case "%":
      return a - floorDivide(a, b) * b;
    case "**":
      return b < 0n ? power(toFloat(a), toFloat(b)) : powerOfIntegers(a, b);
    default:
      return operator satisfies never;
  }
}

function bounded(value: bigint): bigint {
  const limit = 1n << BigInt(maxIntegerBits);
  if (value < limit && value > -limit) return value;
  return fail("limit", `an integer has more than ${maxIntegerBits} bits`);
}

function floorDivide(a: bigint, b: bigint): bigint {
  if (b === 0n) fail("value", "division by zero");
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** a / b as the nearest float. */
function divide(a: bigint, b: bigint): number {
  if (b === 0n) fail("value", "division by zero");
  const limit = 1n << 53n;
  if (a > -limit && a < limit && b > -limit && b < limit) return Number(a) / Number(b);
  const isNegative = a < 0n !== b < 0n;
  const size = divideSizes(a < 0n ? -a : a, b < 0n ? -b : b);
  if (!Number.isFinite(size)) fail("value", "the result of a division is too large for a float");
  return isNegative ? -size : size;
}

/** With 66 bits or more of the quotient, and the last bit set if any below it is: then it rounds once. */
function divideSizes(a: bigint, b: bigint): number {
  const shift = Math.max(0, 66 + b.toString(2).length - a.toString(2).length);
  const numerator = a << BigInt(shift);
  const quotient = numerator / b;
  const isExact = quotient * b === numerator;
  const rounded = Number(isExact ? quotient : quotient | 1n);
  return shift > 1000 ? rounded * 2 ** -1000 * 2 ** (1000 - shift) : rounded * 2 ** -shift;
}

function powerOfIntegers(base: bigint, exponent: bigint): bigint {
  const bits = (base < 0n ? -base : base).toString(2).length;
  if (bits > 1 && BigInt(bits - 1) * exponent > BigInt(maxIntegerBits)) {
    fail("limit", `an integer has more than ${maxIntegerBits} bits`);
  }
  return base ** exponent;
}

function calculateFloats(operator: BinaryOperator, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return b === 0 ? fail("value", "division by zero") : a / b;
    case "//":
      return floorDivideFloats(a, b);
    case "%":
      return b === 0 ? fail("value", "division by zero") : moduloFloats(a, b);
    case "**":
      return power(a, b);
    default:
      return operator satisfies never;
  }
}

/** CPython's float_rem: the sign of the divisor. */
function moduloFloats(a: number, b: number): number {
  const remainder = a % b;
  if (remainder === 0) return b < 0 || Object.is(b, -0) ? -0 : 0;
  return remainder < 0 !== b < 0 ? remainder + b : remainder;
}

/** CPython's float_floor_div. */
function floorDivideFloats(a: number, b: number): number {
  if (b === 0) fail("value", "division by zero");
  let remainder = a % b;
  let quotient = (a - remainder) / b;
  if (remainder !== 0 && remainder < 0 !== b < 0) {
    remainder += b;
    quotient -= 1;
  }
  if (quotient === 0) return a / b < 0 || Object.is(a / b, -0) ? -0 : 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

/** Exponents beyond need integers of too many digits. */
const maxExactExponent = 1024;

/** C's pow(), correctly rounded. The last digit of other powers differs from one C library to the next. */
function power(a: number, b: number): number {
  if (a === 0 && b < 0) fail("value", "zero cannot be raised to a negative power");
  if (a < 0 && Number.isFinite(a) && Number.isFinite(b) && !Number.isInteger(b)) {
    fail("unsupported", "a power that is a complex number is not supported");
  }
  if (a === 1 || b === 0) return 1;
  if (a === -1 && !Number.isFinite(b) && !Number.isNaN(b)) return 1;
  if (a === 0 || !Number.isFinite(a) || !Number.isFinite(b)) return a ** b;
  if (b === 0.5) return Math.sqrt(a);
  if (!Number.isInteger(b) || Math.abs(b) > maxExactExponent) {
    fail("unsupported", `a power with the exponent ${b} is not supported`);
  }
  return powerExactly(a, BigInt(b));
}

function powerExactly(a: number, exponent: bigint): number {
  const [numerator, denominator] = ratioOf(Math.abs(a));
  const size = exponent < 0n ? -exponent : exponent;
  const [top, bottom] = [numerator ** size, denominator ** size];
  const result = exponent < 0n ? divideSizes(bottom, top) : divideSizes(top, bottom);
  if (!Number.isFinite(result)) fail("value", "the result of a power is too large for a float");
  return a < 0 && size % 2n === 1n ? -result : result;
}

/** The sum of two texts or two lists; undefined for others. */
function join(left: Value, right: Value, run: Run): Value | undefined {
  const a = textOf(left);
  const b = textOf(right);
  if (a !== undefined && b !== undefined) {
    run.budget.concatenate(a.length + b.length);
    if (!(left instanceof Markup || right instanceof Markup)) return a + b;
    return new Markup(escapeSide(left, a, run) + escapeSide(right, b, run));
  }
  if (left instanceof List && right instanceof List) return new List(joinItems(left, right, run));
  if (left instanceof Tuple && right instanceof Tuple) {
    return new Tuple(joinItems(left, right, run));
  }
  return undefined;
}

function escapeSide(value: Value, text: string, run: Run): string {
  return value instanceof Markup ? text : escapeText(text, run);
}

function joinItems(left: List | Tuple, right: List | Tuple, run: Run): readonly Value[] {
  run.budget.makeItems(left.items.length + right.items.length);
  return [...left.items, ...right.items];
}

/** A text or a list, repeated; undefined for others. */
function repeat(value: Value, times: bigint | number | undefined, run: Run): Value | undefined {
  if (typeof times !== "bigint") return undefined;
  const count = Number(times < 0n ? 0n : times);
  const text = textOf(value);
  if (text !== undefined) {
    run.budget.make(text.length * count);
    const repeated = text === "" ? "" : text.repeat(count);
    return value instanceof Markup ? new Markup(repeated) : repeated;
  }
  if (!(value instanceof List || value instanceof Tuple)) return undefined;
  run.budget.makeItems(value.items.length * count);
  const items =
    value.items.length === 0 ? [] : Array.from({ length: count }, () => value.items).flat();
  return value instanceof List ? new List(items) : new Tuple(items);
}

export function negate(value: Value): Value {
  const number = numberOf(defined(value));
  if (number === undefined) fail("type", `a ${typeName(value)} has no negative`);
  return -number;
}

/** +value */
export function plus(value: Value): Value {
  const number = numberOf(defined(value));
  return number ?? fail("type", `a ${typeName(value)} takes no +`);
}
