/**
 * Numbers as digits: whole ones and others, between limits and as multiples. Written in plain digits without "-0"; where
 * nothing limits a number, also with an exponent as JSON.stringify has it.
 */
import { FormError } from "../../core/errors.ts";
import {
  byteRange,
  choice,
  type Expression,
  type GrammarBuilder,
  nothing,
  optional,
  repeat,
  sequence,
  text,
} from "../expression.ts";
import { type Decimal, decimalOf, doubleAbove, inUnits, isMultiple, zero } from "./decimals.ts";
import { magnitudes, maxDigits } from "./magnitudes.ts";

export interface NumberLimits {
  /** −Infinity for none; so for the others. */
  readonly minimum: number;
  readonly maximum: number;
  readonly exclusiveMinimum: number;
  readonly exclusiveMaximum: number;
  readonly multiples: readonly number[];
  readonly isWhole: boolean;
  /** Whether it must not be whole. */
  readonly isFraction: boolean;
}

export const noLimits: NumberLimits = {
  minimum: Number.NEGATIVE_INFINITY,
  maximum: Number.POSITIVE_INFINITY,
  exclusiveMinimum: Number.NEGATIVE_INFINITY,
  exclusiveMaximum: Number.POSITIVE_INFINITY,
  multiples: [],
  isWhole: false,
  isFraction: false,
};

const digit = byteRange(0x30, 0x39);
const firstDigit = byteRange(0x31, 0x39);
const minus = optional(text("-"));
const wholeAboveZero = sequence(firstDigit, repeat(digit, 0, maxDigits - 1));
const fraction = sequence(text("."), repeat(digit, 1, maxDigits));
/** To 9.99e307: what is more may be no finite double. */
const exponent = sequence(
  choice([text("e+"), text("e-")]),
  choice([
    repeat(digit, 1, 2),
    sequence(byteRange(0x31, 0x32), digit, digit),
    sequence(text("30"), byteRange(0x30, 0x37)),
  ]),
);
const anyWhole = choice([text("0"), sequence(minus, wholeAboveZero)]);
const anyNumber = sequence(
  minus,
  choice([
    sequence(choice([text("0"), wholeAboveZero]), optional(fraction)),
    sequence(firstDigit, optional(fraction), exponent),
  ]),
);

/** A double's at least: 1e-7 to 1e-307. */
const smallExponent = choice([
  firstDigit,
  sequence(firstDigit, digit),
  sequence(byteRange(0x31, 0x32), digit, digit),
  sequence(text("30"), byteRange(0x30, 0x37)),
]);
/** Digits of a fraction: with more, a double might be whole. */
const fractionDigits = 15;
const anyFraction = sequence(
  minus,
  choice([
    ...Array.from({ length: fractionDigits - 1 }, (_, i) => {
      const whole = i === 0 ? text("0") : sequence(firstDigit, repeat(digit, i - 1, i - 1));
      return sequence(whole, text("."), repeat(digit, 0, fractionDigits - 1 - i), firstDigit);
    }),
    sequence(
      firstDigit,
      optional(sequence(text("."), repeat(digit, 1, fractionDigits - 1))),
      text("e-"),
      smallExponent,
    ),
  ]),
);

/** Digits of a multiple: with more, its double might be none when it is read. */
const multipleDigits = 15;
/** Units of a multiple of 123.45 are 12,345 hundredths. */
const maxUnits = 10n ** 9n;

/** @throws FormError with `where` for multiples that are too large or too fine. */
export function numberExpression(
  limits: NumberLimits,
  builder: GrammarBuilder,
  where: string,
): Expression {
  const { multiple, decimals } = leastCommonMultiple(limits, where);
  // A multiple of a whole number is whole.
  const isWhole = limits.isWhole || (limits.multiples.length > 0 && decimals === 0);
  if (limits.isFraction) return isWhole ? nothing : fractions(limits, where);
  const low = lowerBound({ ...limits, isWhole });
  const high = negated(lowerBound(negatedLimits({ ...limits, isWhole })));
  const hasMultiple = multiple > 1 || decimals > 0;
  if (low === undefined && high === undefined && !hasMultiple)
    return isWhole ? anyWhole : anyNumber;
  const largest = { whole: "9".repeat(multipleDigits - decimals), fraction: "" };
  const cap = hasMultiple ? largest : undefined;
  const use = { builder, where, multiple, decimals, isWhole };
  const options: Expression[] = [];
  if (high === undefined || !isBelowZero(high)) {
    const from = low === undefined || low.value <= 0 ? zero : low.digits;
    const isAboveLow = low?.value === 0 && low.isStrict;
    const to = smaller(high?.digits, cap);
    options.push(magnitudes({ low: from, isAboveLow, high: to }, use));
  }
  if (low === undefined || low.value < 0) {
    const isLimited = high !== undefined && high.value < 0;
    const from = isLimited ? high.digits : zero;
    const to = smaller(low?.digits, cap);
    const rest = magnitudes({ low: from, isAboveLow: !isLimited, high: to }, use);
    options.push(sequence(text("-"), rest));
  }
  return choice(options);
}

/** @throws FormError beside limits and multiples */
function fractions({ minimum, maximum, ...limits }: NumberLimits, where: string): Expression {
  const { exclusiveMinimum, exclusiveMaximum, multiples } = limits;
  if (multiples.length > 0) {
    throw new FormError(where, "has multiples for numbers that are not whole", "leave them out");
  }
  if ([minimum, maximum, exclusiveMinimum, exclusiveMaximum].some(Number.isFinite)) {
    throw new FormError(where, "has limits for numbers that are not whole", "leave them out");
  }
  return anyFraction;
}

/** Whether some number keeps the limits, as far as the limits alone say; multiples are not looked at. */
export function isEmptyRange(limits: NumberLimits): boolean {
  const low = lowerBound(limits);
  const high = negated(lowerBound(negatedLimits(limits)));
  if (low === undefined || high === undefined) return false;
  return low.value > high.value || (low.value === high.value && (low.isStrict || high.isStrict));
}

export function keepsLimits(value: number, limits: NumberLimits): boolean {
  return (
    value >= limits.minimum &&
    value <= limits.maximum &&
    value > limits.exclusiveMinimum &&
    value < limits.exclusiveMaximum &&
    (!limits.isWhole || Number.isInteger(value)) &&
    !(limits.isFraction && Number.isInteger(value)) &&
    limits.multiples.every((multiple) => isMultiple(value, multiple))
  );
}

interface Bound {
  readonly value: number;
  /** Of its absolute value. */
  readonly digits: Decimal;
  /** The value itself is left out. Only of 0: beside any other number there is a next double. */
  readonly isStrict: boolean;
}

function lowerBound(limits: NumberLimits): Bound | undefined {
  const { minimum, exclusiveMinimum, isWhole } = limits;
  if (minimum === Number.NEGATIVE_INFINITY && exclusiveMinimum === Number.NEGATIVE_INFINITY) {
    return undefined;
  }
  if (isWhole) return wholeBound(minimum, exclusiveMinimum);
  if (exclusiveMinimum === 0 && minimum <= 0) return { value: 0, digits: zero, isStrict: true };
  const above = Number.isFinite(exclusiveMinimum)
    ? doubleAbove(exclusiveMinimum)
    : exclusiveMinimum;
  const value = Math.max(minimum, above);
  return { value, digits: decimalOf(value), isStrict: false };
}

function wholeBound(minimum: number, exclusiveMinimum: number): Bound {
  const least = Number.isFinite(minimum) ? BigInt(Math.ceil(minimum)) : undefined;
  const above = Number.isFinite(exclusiveMinimum)
    ? BigInt(Math.floor(exclusiveMinimum)) + 1n
    : undefined;
  const bound =
    least !== undefined && (above === undefined || least > above) ? least : (above ?? 0n);
  const whole = String(bound < 0n ? -bound : bound);
  return { value: Number(bound), digits: { whole, fraction: "" }, isStrict: false };
}

function negatedLimits(limits: NumberLimits): NumberLimits {
  return {
    ...limits,
    minimum: -limits.maximum,
    maximum: -limits.minimum,
    exclusiveMinimum: -limits.exclusiveMaximum,
    exclusiveMaximum: -limits.exclusiveMinimum,
  };
}

function negated(bound: Bound | undefined): Bound | undefined {
  return bound && { ...bound, value: -bound.value };
}

/** As an upper bound: no number of at least 0 is left. */
function isBelowZero(high: Bound): boolean {
  return high.value < 0 || (high.value === 0 && high.isStrict);
}

function smaller(one: Decimal | undefined, other: Decimal | undefined): Decimal | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  if (one.whole.length !== other.whole.length)
    return one.whole.length < other.whole.length ? one : other;
  return one.whole <= other.whole ? one : other;
}

/** Of all multiples, and of 1 where the number is whole: `multiple` / 10^`decimals`. */
function leastCommonMultiple(
  { multiples, isWhole }: NumberLimits,
  where: string,
): { readonly multiple: number; readonly decimals: number } {
  const all = isWhole && multiples.length > 0 ? [...multiples, 1] : multiples;
  const decimals = Math.max(0, ...all.map((each) => decimalOf(each).fraction.length));
  if (decimals >= multipleDigits) {
    throw new FormError(where, `has multiples of ${decimals} decimals`, "use fewer decimals");
  }
  let units = 1n;
  for (const [index, each] of all.entries()) {
    const more = inUnits(each, decimals) ?? 1n;
    units = index === 0 ? more : (units / greatestCommonDivisor(units, more)) * more;
    if (units > maxUnits * 10n ** BigInt(decimals)) break;
  }
  const one = 10n ** BigInt(decimals);
  const isOfWholes = units % one === 0n;
  const multiple = isOfWholes ? units / one : units;
  if (multiple > maxUnits) {
    const value = Number(units) / Number(one);
    throw new FormError(where, `multiples of ${value} are too many`, "use a smaller one");
  }
  return { multiple: Number(multiple), decimals: isOfWholes ? 0 : decimals };
}

function greatestCommonDivisor(one: bigint, other: bigint): bigint {
  return other === 0n ? one : greatestCommonDivisor(other, one % other);
}
