/** Parsers for option values: a value that is no number is a usage error, not NaN. */
import { InvalidArgumentError } from "commander";

export function wholeNumber(value: string): number {
  const parsed = Number(value);
  if (value.trim() === "" || !Number.isInteger(parsed)) {
    throw new InvalidArgumentError("expected a whole number.");
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

/** For an option that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** "ID=BIAS", repeatable. */
export function tokenBias(
  value: string,
  previous: Readonly<Record<number, number>> = {},
): Readonly<Record<number, number>> {
  const [id = "", bias = ""] = value.split("=");
  const parsed = bias === "-inf" ? Number.NEGATIVE_INFINITY : realNumber(bias);
  return { ...previous, [wholeNumber(id)]: parsed };
}
