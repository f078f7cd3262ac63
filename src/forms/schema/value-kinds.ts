/** What a schema's own keywords say at a glance about its values: their kinds as bits, and a list where it has one. */
import { isNumber } from "../../core/check-options.ts";
import { jsonKey } from "./json-key.ts";
import { isFraction, notTexts } from "./negations.ts";

/** Whole numbers and others apart: "number" allows both, "integer" the first. */
const bitsOf: Readonly<Record<string, number>> = {
  null: 1,
  boolean: 2,
  integer: 4,
  number: 12,
  string: 16,
  array: 32,
  object: 64,
};
const whole = 4;
const fraction = 8;
const all = 127;

/** Nothing is left where `kinds` is 0, or `values` has none. */
export interface Outlook {
  readonly kinds: number;
  /** By their keys, the bit of each; undefined where no list was met. */
  readonly values: ReadonlyMap<string, number> | undefined;
  /** Keys of texts that are left out. */
  readonly without: ReadonlySet<string>;
}

const none: ReadonlySet<string> = new Set();
export const anyValue: Outlook = { kinds: all, values: undefined, without: none };

export function outlookOf(keywords: Readonly<Record<string, unknown>>): Outlook {
  let kinds = all;
  if (keywords["type"] !== undefined) {
    kinds = [keywords["type"]]
      .flat()
      .reduce<number>((bits, type) => bits | (bitsOf[String(type)] ?? 0), 0);
  }
  if (keywords[isFraction] === true) kinds &= ~whole;
  let values: ReadonlyMap<string, number> | undefined;
  if (Array.isArray(keywords["enum"])) values = listed(keywords["enum"]);
  if (Object.hasOwn(keywords, "const")) {
    const constant = listed([keywords["const"]]);
    values = values === undefined ? constant : kept(values, (key) => constant.has(key));
  }
  const texts = keywords[notTexts];
  const without = Array.isArray(texts) ? new Set(texts.map(jsonKey)) : none;
  return { kinds, values, without };
}

/** Of two schemas at once. */
export function both(one: Outlook, other: Outlook): Outlook {
  if (one === anyValue) return other;
  let kinds = one.kinds & other.kinds;
  const without =
    one.without.size === 0 ? other.without : new Set([...one.without, ...other.without]);
  let values = one.values ?? other.values;
  if (values === undefined) return { kinds, values, without };
  const inBoth = one.values !== undefined && other.values !== undefined ? other.values : undefined;
  values = kept(
    values,
    (key, kind) => (kind & kinds) !== 0 && !without.has(key) && (inBoth?.has(key) ?? true),
  );
  kinds = [...values.values()].reduce((bits, kind) => bits | kind, 0);
  return { kinds, values, without };
}

function listed(list: readonly unknown[]): ReadonlyMap<string, number> {
  return new Map(list.map((value) => [jsonKey(value), kindOf(value)]));
}

function kindOf(value: unknown): number {
  if (value === null) return 1;
  if (isNumber(value)) return Number.isInteger(value) ? whole : fraction;
  return bitsOf[Array.isArray(value) ? "array" : typeof value] ?? all;
}

function kept(
  values: ReadonlyMap<string, number>,
  keeps: (key: string, kind: number) => boolean,
): ReadonlyMap<string, number> {
  return new Map([...values].filter(([key, kind]) => keeps(key, kind)));
}
