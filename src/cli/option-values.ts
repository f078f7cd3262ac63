/** Parsers for option values: a value that is not a number is a usage error, not NaN. */
import { InvalidArgumentError } from "commander";
import { OptionError, parseByteSize } from "../index.ts";

export function wholeNumber(value: string): number {
  const parsed = Number(value);
  if (value.trim() === "" || !Number.isInteger(parsed)) {
    throw new InvalidArgumentError("expected a whole number.");
  }
  return parsed;
}

export function positiveNumber(value: string): number {
  const parsed = wholeNumber(value);
  if (parsed < 1 || !Number.isSafeInteger(parsed)) {
    throw new InvalidArgumentError("expected a whole number of at least 1.");
  }
  return parsed;
}

export function realNumber(value: string): number {
  const parsed = Number(value);
  if (value.trim() === "" || !Number.isFinite(parsed)) {
    throw new InvalidArgumentError("expected a number.");
  }
  return parsed;
}

/** "1.5" → 1.5 per cent, of what may more than double */
export function percentage(value: string): number {
  const parsed = realNumber(value);
  if (parsed >= 0) return parsed;
  throw new InvalidArgumentError("expected a number of at least 0.");
}

/** Bytes: no budget is so small. Who types 8 means 8GiB. */
const smallestBareSize = 4096;

/** "8GiB" → bytes */
export function byteSize(value: string): number {
  const bare = /^\s*\d+\s*$/.test(value) ? Number(value) : 0;
  if (bare > 0 && bare < smallestBareSize) {
    throw new InvalidArgumentError(`${bare} bytes are too few; did you mean ${bare}GiB?`);
  }
  try {
    return parseByteSize(value, "size");
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new InvalidArgumentError('expected a size such as "8GiB", "500MB" or "0".');
  }
}

/** One of the choices, in whatever case it was typed. */
export function choiceOf<Choice extends string>(
  choices: readonly Choice[],
): (value: string) => Choice {
  return (value) => {
    const found = choices.find((choice) => choice.toLowerCase() === value.toLowerCase());
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`expected one of ${choices.join(", ")}.`);
  };
}

/** "a,b": some of the choices */
export function choiceList<Choice extends string>(
  choices: readonly Choice[],
): (value: string) => readonly Choice[] {
  return (value) => nameList(value).map(choiceOf(choices));
}

/** "a,b,c" */
export function nameList(value: string): readonly string[] {
  const names = value.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError("expected names separated by commas.");
  return names;
}

/** "128,512" */
export function numberList(value: string): readonly number[] {
  return nameList(value).map(wholeNumber);
}

/** "24GiB,11GiB" */
export function byteSizeList(value: string): readonly number[] {
  return nameList(value).map(byteSize);
}

/** For an option that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** For options that may come several times, a token id each. */
export function collectId(value: string, previous: readonly number[] = []): readonly number[] {
  return [...previous, wholeNumber(value)];
}

/** For an option that may be given several times; "none" alone stands for none. */
export function sequenceBreaker(value: string, previous?: readonly string[]): readonly string[] {
  return value === "none" ? [] : collect(value, previous);
}

export function mirostatVersion(value: string): 0 | 1 | 2 {
  const version = wholeNumber(value);
  if (version === 0 || version === 1 || version === 2) return version;
  throw new InvalidArgumentError("expected 0, 1 or 2.");
}

type TokenBias = readonly [number | string, number];

/** "ID=BIAS", "TEXT=BIAS", or "ID+BIAS" and "ID-BIAS" as llama.cpp has it; repeatable. */
export function tokenBias(
  value: string,
  previous: readonly TokenBias[] = [],
): readonly TokenBias[] {
  const [, token = "", bias = ""] =
    /^(\d+)([+-].*)$/s.exec(value) ?? /^(.*)=(.*)$/s.exec(value) ?? [];
  if (token === "") throw new InvalidArgumentError('expected such as "15043=-1" or " Hello=-1".');
  const added = bias === "-inf" ? Number.NEGATIVE_INFINITY : realNumber(bias);
  return [...previous, [/^\d+$/.test(token) ? wholeNumber(token) : token, added]];
}
