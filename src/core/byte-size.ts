/**
 * Sizes as people write them: "8GiB", "500MB", "0".
 * GiB, MiB, KiB are powers of 1024; GB, MB, KB powers of 1000; a bare number is bytes.
 */
import { checkValue, type OptionRule, textRule } from "./check-options.ts";
import { OptionError } from "./errors.ts";
import type { Bytes } from "./units.ts";

const unitBytes: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["tb", 1e12],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30],
  ["tib", 2 ** 40],
]);

const sizeRule: OptionRule = {
  expected: 'a size in words such as "8GiB"',
  accepts: (value) => typeof value === "string",
};

const expected = 'a size of at least 0 such as "8GiB", "500MB" or "0"';

/**
 * Bytes of a size in words; a fraction of a byte is dropped.
 * `option` names the option in the error.
 * @throws OptionError when it is negative, not a size, or too large to count exactly.
 */
export function parseByteSize(text: string, option: string): Bytes {
  checkValue(option, "option", textRule);
  checkValue(text, option, sizeRule);
  const match = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*$/i.exec(text);
  const unit = unitBytes.get((match?.[2] ?? "").toLowerCase());
  if (match === null || unit === undefined) throw new OptionError(option, `"${text}"`, expected);
  return checkByteSize(Math.floor(Number(match[1]) * unit), option);
}

/** The same bytes, once it is known that they are a whole number of at least 0. @throws OptionError */
export function checkByteSize(bytes: number, option: string): Bytes {
  if (!Number.isSafeInteger(bytes) || bytes < 0)
    throw new OptionError(option, String(bytes), expected);
  return bytes;
}
