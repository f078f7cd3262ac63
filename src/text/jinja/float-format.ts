/** A float by one of Python's presentation types, without its sign: e, f, g and those of them that are percent. */
import { fail } from "./errors.ts";
import { floatText, toFixedExactly, toScientific } from "./exact-decimal.ts";

/** More digits than the smallest float has. */
const maxPrecision = 1100;

export interface FloatForm {
  /** "r" is repr: the shortest digits that read back as the same. */
  readonly type: "e" | "f" | "g" | "%" | "r";
  readonly precision: number | undefined;
  /** "#": a point always, and the zeros that g drops. */
  readonly isAlternate: boolean;
  /** The point and a zero that tell a float from an integer, for a format without a type. */
  readonly hasPoint?: boolean;
}

/** `value`: its sign is ignored. */
export function floatDigits(value: number, form: FloatForm): string {
  const size = Math.abs(value);
  const percent = form.type === "%" ? "%" : "";
  if (Number.isNaN(size)) return `nan${percent}`;
  if (!Number.isFinite(size)) return `inf${percent}`;
  const precision = form.precision ?? 6;
  if (precision > maxPrecision) {
    fail(
      "unsupported",
      `a precision of ${precision} digits is not supported, at most ${maxPrecision}`,
    );
  }
  switch (form.type) {
    case "f":
      return withPoint(toFixedExactly(size, precision), form);
    case "%":
      return `${withPoint(toFixedExactly(size * 100, precision), form)}%`;
    case "e":
      return scientific(size, precision, form);
    case "g":
      return general(size, Math.max(1, precision), form);
    case "r":
      return shortest(size, form);
    default:
      return form.type satisfies never;
  }
}

function shortest(size: number, { isAlternate, hasPoint = false }: FloatForm): string {
  const text = floatText(size);
  if (!isAlternate) return hasPoint ? text : text.replace(/\.0$/, "");
  return text.includes(".") ? text : text.replace("e", ".e");
}

function withPoint(digits: string, form: FloatForm): string {
  return form.isAlternate && !digits.includes(".") ? `${digits}.` : digits;
}

function scientific(size: number, precision: number, form: FloatForm): string {
  const { digits, exponent } = toScientific(size, precision);
  return withExponent(digits, exponent, form.isAlternate);
}

function withExponent(digits: string, exponent: number, isAlternate: boolean): string {
  const point = digits.length > 1 || isAlternate ? "." : "";
  const power = String(Math.abs(exponent)).padStart(2, "0");
  return `${digits.charAt(0)}${point}${digits.slice(1)}e${exponent < 0 ? "-" : "+"}${power}`;
}

/** As many significant digits as `precision`, zeros at the end dropped. */
function general(size: number, precision: number, form: FloatForm): string {
  const { digits, exponent } = toScientific(size, precision - 1);
  const isLong = exponent < -4 || exponent >= precision - (form.hasPoint === true ? 1 : 0);
  const kept = form.isAlternate ? digits : digits.replace(/(?<=.)0+$/, "");
  if (isLong) return withExponent(kept, exponent, form.isAlternate);
  if (exponent < 0) return `0.${"0".repeat(-exponent - 1)}${kept}`;
  const whole = kept.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const fraction = kept.slice(exponent + 1);
  if (fraction !== "") return `${whole}.${fraction}`;
  if (form.isAlternate) return `${whole}.`;
  return form.hasPoint === true ? `${whole}.0` : whole;
}
