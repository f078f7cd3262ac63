/** The attributes of int and float that a template could use. */
import { matchArguments } from "./arguments.ts";
import { fail } from "./errors.ts";
import { ratioOf } from "./exact-decimal.ts";
import { Callable, integerOf, Tuple, type Value } from "./values.ts";

/** value.name; undefined if int or float has no such attribute. */
export function numberAttribute(value: bigint | number | boolean, name: string): Value | undefined {
  const integer = integerOf(value);
  const self = integer ?? (typeof value === "number" ? value : 0);
  const common = { real: self, imag: integer === undefined ? 0 : 0n };
  if (name === "real") return common.real;
  if (name === "imag") return common.imag;
  const method =
    integer === undefined ? floatMethod(Number(value), name) : integerMethod(integer, name);
  if (typeof method !== "function") return method;
  const match = matchArguments(name, "/");
  return new Callable(name, (call, run) => {
    match(call, run);
    return method();
  });
}

function integerMethod(value: bigint, name: string): Value | (() => Value) | undefined {
  const size = value < 0n ? -value : value;
  switch (name) {
    case "numerator":
      return value;
    case "denominator":
      return 1n;
    case "conjugate":
      return () => value;
    case "bit_length":
      return () => BigInt(size === 0n ? 0 : size.toString(2).length);
    case "bit_count":
      return () => BigInt(size.toString(2).replaceAll("0", "").length);
    case "as_integer_ratio":
      return () => new Tuple([value, 1n]);
    case "to_bytes":
    case "from_bytes":
      return fail("unsupported", "bytes are not supported");
    default:
      return undefined;
  }
}

function floatMethod(value: number, name: string): (() => Value) | undefined {
  switch (name) {
    case "conjugate":
      return () => value;
    case "is_integer":
      return () => Number.isInteger(value);
    case "as_integer_ratio":
      return () =>
        Number.isFinite(value) ? new Tuple(ratioOf(value)) : fail("value", `${value} is no ratio`);
    case "hex":
    case "fromhex":
      return fail("unsupported", `float.${name}() is not supported`);
    default:
      return undefined;
  }
}
