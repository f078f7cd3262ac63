/** Limits of numbers as decimal digits, and the doubles next to them. */

/** A number of at least 0 in plain digits. */
export interface Decimal {
  /** Without leading zeros; "0" for less than 1. */
  readonly whole: string;
  /** Without trailing zeros. */
  readonly fraction: string;
}

export const zero: Decimal = { whole: "0", fraction: "" };

/** The digits that JavaScript prints for |value|, without an exponent. */
export function decimalOf(value: number): Decimal {
  const [mantissa = "0", exponent = "0"] = String(Math.abs(value)).split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const shift = Number(exponent);
  const digits = whole + fraction;
  const point = whole.length + shift;
  const padded = digits.padStart(digits.length + Math.max(0, -point), "0");
  const at = Math.max(0, point);
  const filled = padded.padEnd(at, "0");
  return {
    whole: filled.slice(0, at).replace(/^0+/, "") || "0",
    fraction: filled.slice(at).replace(/0+$/, ""),
  };
}

/** The next double above a finite one. */
export function doubleAbove(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  const bits = new BigInt64Array(1);
  const double = new Float64Array(bits.buffer);
  double[0] = value;
  bits[0] = (bits[0] ?? 0n) + (value > 0 ? 1n : -1n);
  return double[0] ?? value;
}

/** A finite number in units of 10^-decimals; undefined where it has more decimals. */
export function inUnits(value: number, decimals: number): bigint | undefined {
  const { whole, fraction } = decimalOf(value);
  if (fraction.length > decimals) return undefined;
  const units = BigInt(whole + fraction.padEnd(decimals, "0"));
  return value < 0 ? -units : units;
}

/** Whether it is a whole multiple, both as the decimals that JavaScript prints. */
export function isMultiple(value: number, multiple: number): boolean {
  const decimals = decimalOf(multiple).fraction.length;
  const units = inUnits(value, decimals);
  return units !== undefined && units % (inUnits(multiple, decimals) ?? 1n) === 0n;
}
