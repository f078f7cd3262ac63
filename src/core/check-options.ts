/**
 * Judges what a caller handed over, once, at the border: plain JavaScript passes anything. A misspelt option is an
 * error, never ignored; `undefined` is an option that was not given.
 */
import { editDistance } from "./edit-distance.ts";
import { OptionError } from "./errors.ts";

/** What an option may be; `expected` ends the sentence "expected …". */
export interface OptionRule {
  readonly expected: string;
  accepts(value: unknown): boolean;
}

/** One rule per option. An option without a rule is a compile error. */
export type OptionRules<Options> = { readonly [Name in keyof Options]-?: OptionRule };

/**
 * @throws OptionError if `options` is not an object, has an unknown key (the error suggests the nearest known one), or
 * has a value that breaks its rule.
 */
export function checkOptions(
  options: unknown,
  rules: Readonly<Record<string, OptionRule>>,
  what: string,
): void {
  if (!isPlainObject(options))
    throw new OptionError(`${what} options`, describeValue(options), "an object");
  for (const [key, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === undefined) throw unknownKey(key, Object.keys(rules), what);
    if (value !== undefined) checkValue(value, key, rule);
  }
}

/** @throws OptionError */
export function checkValue(value: unknown, option: string, rule: OptionRule): void {
  if (!rule.accepts(value)) throw new OptionError(option, describeValue(value), rule.expected);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object whose entries are its properties. A Map's entries are not: they would be ignored silently. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return isRecord(value) && Object.prototype.toString.call(value) === "[object Object]";
}

/** A value as an error shows it. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? cut(value) : value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value))
    return value.length === 0 ? "an empty list" : `a list of ${describeValue(value[0])}, …`;
  if (isRecord(value))
    return value.constructor?.name === "Object"
      ? "an object"
      : `a ${value.constructor?.name ?? "value"}`;
  return String(value);
}

function cut(text: string): string {
  return `${text.slice(0, 60)}…`;
}

export const flagRule: OptionRule = {
  expected: "true or false",
  accepts: (value) => typeof value === "boolean",
};

export const pathRule: OptionRule = {
  expected: "the path of a file",
  accepts: (value) => typeof value === "string" && value !== "",
};

export const textRule: OptionRule = {
  expected: "a text that is not empty",
  accepts: (value) => typeof value === "string" && value !== "",
};

export const textListRule: OptionRule = {
  expected: "a list of texts that are not empty",
  accepts: (value) => Array.isArray(value) && value.every((text) => textRule.accepts(text)),
};

export const functionRule: OptionRule = {
  expected: "a function",
  accepts: (value) => typeof value === "function",
};

/** By what it can do: some test runners and polyfills have an AbortSignal of their own. */
export const signalRule: OptionRule = {
  expected: "an AbortSignal",
  accepts: (value) =>
    typeof value === "object" &&
    value !== null &&
    "aborted" in value &&
    "throwIfAborted" in value &&
    "addEventListener" in value,
};

export function countRule(least: number, most: number = Number.MAX_SAFE_INTEGER): OptionRule {
  const isBounded = most < Number.MAX_SAFE_INTEGER;
  return {
    expected: isBounded
      ? `a whole number from ${least} to ${most}`
      : `a whole number of at least ${least}`,
    accepts: (value) =>
      isNumber(value) && Number.isInteger(value) && value >= least && value <= most,
  };
}

export function listRule(item: OptionRule): OptionRule {
  return {
    expected: `a list, each ${item.expected}`,
    accepts: (value) => Array.isArray(value) && value.every((each) => item.accepts(each)),
  };
}

export const numberRule: OptionRule = {
  expected: "a number",
  accepts: (value) => isNumber(value) && Number.isFinite(value),
};

export const shareRule: OptionRule = {
  expected: "a number from 0 to 1",
  accepts: (value) => isNumber(value) && value >= 0 && value <= 1,
};

export function choiceRule(choices: readonly string[]): OptionRule {
  return {
    expected: `one of ${choices.join(", ")}`,
    accepts: (value) => typeof value === "string" && choices.includes(value),
  };
}

export function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function unknownKey(unknown: string, known: readonly string[], what: string): OptionError {
  const nearest = known.reduce((best, key) =>
    editDistance(unknown, key) < editDistance(unknown, best) ? key : best,
  );
  const isNear = editDistance(unknown, nearest) <= unknown.length / 2;
  const found = describeValue(unknown);
  const names = known.join(", ");
  const hint = isNear ? `did you mean "${nearest}"?` : `the options are ${names}`;
  return new OptionError(
    `${what} option`,
    found,
    `one of ${names}`,
    `${what} has no option ${found}; ${hint}`,
  );
}
