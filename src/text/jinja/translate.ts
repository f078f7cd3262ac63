/** str.translate() and str.maketrans(). */
import type { Arguments } from "./arguments.ts";
import { codePointsOf } from "./code-points.ts";
import { hashKey } from "./compare.ts";
import { fail } from "./errors.ts";
import { Dict, type HashKey, integerOf, type Run, textOf, typeName, type Value } from "./values.ts";

/** By a dict from numbers of characters to texts, numbers or None. */
export function translate(text: string, table: Value, run: Run): string {
  if (!(table instanceof Dict)) return fail("type", `a ${typeName(table)} is no table`);
  let result = "";
  for (const character of codePointsOf(text, run.budget)) {
    const entry = table.entries.get(hashKey(BigInt(character.codePointAt(0) ?? 0), run));
    const part = entry === undefined ? character : replacementOf(entry[1]);
    run.budget.make(part.length);
    result += part;
  }
  return result;
}

function replacementOf(value: Value): string {
  if (value === null) return "";
  const code = integerOf(value);
  if (code === undefined) return textOf(value) ?? fail("type", "a table holds texts and numbers");
  if (code < 0n || code > 0x10ffffn) fail("value", "no character has this number");
  return String.fromCodePoint(Number(code));
}

export function makeTranslation(args: Arguments, run: Run): Value {
  const entries = new Map<HashKey, readonly [Value, Value]>();
  const put = (key: Value, value: Value): void => {
    entries.set(hashKey(key, run), [key, value]);
  };
  const codes = (text: string): bigint[] =>
    codePointsOf(text, run.budget).map((point) => BigInt(point.codePointAt(0) ?? 0));
  if (!args.has(1)) {
    const table = args.at(0);
    if (!(table instanceof Dict)) fail("type", "maketrans() of one argument wants a dict");
    for (const [key, value] of table.entries.values()) {
      const [code, more] = codes(textOf(key) ?? "");
      if (textOf(key) !== undefined && (code === undefined || more !== undefined)) {
        fail("value", "a key of a table is one character");
      }
      put(code ?? key, value);
    }
    return new Dict(entries);
  }
  const from = codes(args.text(0));
  const to = codes(args.text(1));
  if (from.length !== to.length) fail("value", "the first two texts differ in length");
  for (const [position, code] of from.entries()) put(code, to[position] ?? null);
  for (const code of args.has(2) ? codes(args.text(2)) : []) put(code, null);
  return new Dict(entries);
}
