/** int(text, base) and float(text). */
import { decimalValue } from "./unicode.ts";
import { trimEnd, trimStart } from "./white-space.ts";

const maxDigits = 4300;

/** undefined where Python raises a ValueError. `base`: 0 or 2 to 36. */
export function parseInteger(text: string, base: number): bigint | undefined {
  const match = /^([-+]?)([\s\S]+)$/.exec(toAsciiDigits(trimStart(trimEnd(text))));
  if (match === null) return undefined;
  const [, sign, written = ""] = match;
  const size = parseDigits(written.toLowerCase(), base);
  return size === undefined || sign !== "-" ? size : -size;
}

const prefixes: Readonly<Record<string, number>> = { "0b": 2, "0o": 8, "0x": 16 };

function parseDigits(written: string, base: number): bigint | undefined {
  const prefix = prefixes[written.slice(0, 2)];
  const isPrefixed = prefix !== undefined && (base === 0 || base === prefix);
  const digits = isPrefixed ? written.slice(2).replace(/^_/, "") : written;
  const radix = isPrefixed ? prefix : base === 0 ? 10 : base;
  if (base === 0 && !isPrefixed && /^0[0_]*[1-9]/.test(digits)) return undefined;
  if (!/^[0-9a-z]+(?:_[0-9a-z]+)*$/.test(digits)) return undefined;
  return valueOfDigits(digits.replaceAll("_", ""), radix);
}

function valueOfDigits(digits: string, radix: number): bigint | undefined {
  const isPowerOfTwo = (radix & (radix - 1)) === 0;
  if (digits.length > (isPowerOfTwo ? 16_384 : maxDigits)) return undefined;
  let value = 0n;
  for (const digit of digits) {
    const next = Number.parseInt(digit, 36);
    if (next >= radix) return undefined;
    value = value * BigInt(radix) + BigInt(next);
  }
  return value;
}

/** undefined where Python raises a ValueError. */
export function parseFloatText(text: string): number | undefined {
  const trimmed = toAsciiDigits(trimStart(trimEnd(text))).toLowerCase();
  const word = /^([-+]?)(inf|infinity|nan)$/.exec(trimmed);
  if (word !== null) {
    if (word[2] === "nan") return Number.NaN;
    return word[1] === "-" ? -Infinity : Infinity;
  }
  const pattern =
    /^[-+]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[-+]?\d+(?:_\d+)*)?$/;
  return pattern.test(trimmed) ? Number(trimmed.replaceAll("_", "")) : undefined;
}

/** Decimal digits of any script count. */
function toAsciiDigits(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (character) => String(decimalValue(character) ?? character));
}
