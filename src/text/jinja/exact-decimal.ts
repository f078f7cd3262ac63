/** The exact decimal value of a float, rounded half to even: what Python's round() and formats "f", "e" and "g" use. */

/** A float is `mantissa` * 2 ** `exponent`. `value`: finite and not negative. */
function splitFloat(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  if (exponent === 0) return { mantissa: fraction, exponent: -1074 };
  return { mantissa: fraction | 0x10000000000000n, exponent: exponent - 1075 };
}

/** A float as a fraction of integers in lowest terms. `value`: finite. */
export function ratioOf(value: number): readonly [numerator: bigint, denominator: bigint] {
  const { mantissa, exponent } = splitFloat(Math.abs(value));
  const sign = value < 0 ? -1n : 1n;
  if (exponent >= 0) return [sign * (mantissa << BigInt(exponent)), 1n];
  let numerator = mantissa;
  let shift = -exponent;
  if (numerator === 0n) return [0n, 1n];
  while (shift > 0 && (numerator & 1n) === 0n) {
    numerator >>= 1n;
    shift--;
  }
  return [sign * numerator, 1n << BigInt(shift)];
}

/** numerator / denominator as the nearest integer, half to even. Neither is negative. */
export function divideToEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  const isUp = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return isUp ? quotient + 1n : quotient;
}

/** |value| * 10 ** digits as the nearest integer. `value`: finite; `digits`: may be negative. */
function scaleExactly(value: number, digits: number): bigint {
  const [numerator, denominator] = ratioOf(Math.abs(value));
  const power = 10n ** BigInt(Math.abs(digits));
  return digits >= 0
    ? divideToEven(numerator * power, denominator)
    : divideToEven(numerator, denominator * power);
}

/** |value| with so many digits after the point: "3.14". */
export function toFixedExactly(value: number, digits: number): string {
  const text = scaleExactly(value, digits)
    .toString()
    .padStart(digits + 1, "0");
  if (digits === 0) return text;
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** |value| as d.ddd * 10 ** exponent, with so many digits after the point. */
export function toScientific(
  value: number,
  digits: number,
): { readonly digits: string; readonly exponent: number } {
  if (value === 0) return { digits: "0".repeat(digits + 1), exponent: 0 };
  let exponent = Number(Math.abs(value).toExponential().split("e")[1]);
  let scaled = scaleExactly(value, digits - exponent).toString();
  if (scaled.length > digits + 1) {
    exponent++;
    scaled = scaleExactly(value, digits - exponent).toString();
  }
  return { digits: scaled, exponent };
}

/** round(value, digits) of a float. */
export function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value) || value === 0 || digits > 323) return value;
  if (digits < -308) return value < 0 ? -0 : 0;
  const scaled = scaleExactly(value, digits);
  const size = Number(`${scaled}e${-digits}`);
  return value < 0 ? -size : size;
}

/** repr(value) of a float: the shortest digits that read back as the same, 1.0, 1e+16, inf. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4)) {
    const [mantissa = "", exponent = ""] = value.toExponential().split("e");
    return `${mantissa}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, "0")}`;
  }
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}
