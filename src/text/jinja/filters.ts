/** All built-in filters, by name. */
import type { Arguments } from "./arguments.ts";
import { ownAttribute } from "./attributes.ts";
import { fail } from "./errors.ts";
import { type Filter, filter } from "./filter.ts";
import { listItems } from "./iterate.ts";
import { toJson } from "./json.ts";
import { numberFilters } from "./number-filters.ts";
import { prettyPrint } from "./pretty.ts";
import { selectFilters } from "./select-filters.ts";
import { sequenceFilters } from "./sequence-filters.ts";
import { textFilters } from "./text-filters.ts";
import { isTrue, orElse, type Run, textOf, typeName, Undefined, type Value } from "./values.ts";
import { webFilters } from "./web-filters.ts";

const defaultFilter = filter("default", "default_value?, boolean?", (input, args, run) => {
  const isReplaced = input instanceof Undefined || (args.isTrue(1) && !isTrue(input, run));
  return isReplaced ? args.at(0, "") : input;
});

export const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...textFilters,
  ...numberFilters,
  ...sequenceFilters,
  ...selectFilters,
  ...webFilters,
  ["attr", filter("attr", "name", getAttribute)],
  ["d", defaultFilter],
  ["default", defaultFilter],
  ["pprint", filter("pprint", "", (input, _, run) => prettyPrint(input, run))],
  ["tojson", filter("tojson", "ensure_ascii?, indent?, separators?, sort_keys?", tojson)],
]);

/** Of an object's own attributes only, not of its items. */
function getAttribute(input: Value, args: Arguments, run: Run): Value {
  const name = textOf(args.at(0)) ?? fail("type", "the name of an attribute is a text");
  return orElse(ownAttribute(input, name, run), () => {
    return new Undefined(`there is no attribute '${name}'`);
  });
}

function tojson(input: Value, args: Arguments, run: Run): string {
  const indent = args.given(1) === undefined ? undefined : indentOf(args, run);
  const separators = args.given(2);
  const [item, key] = separators === undefined ? [] : separatorsOf(separators, run);
  const form = {
    isAscii: args.isTrue(0),
    indent,
    itemSeparator: item ?? (indent === undefined ? ", " : ","),
    keySeparator: key ?? ": ",
    sortsKeys: args.isTrue(3),
  };
  return toJson(input, form, run);
}

function indentOf(args: Arguments, run: Run): string {
  const text = textOf(args.at(1));
  if (text !== undefined) return text;
  const width = Math.max(0, args.count(1, 0));
  run.budget.make(width);
  return " ".repeat(width);
}

function separatorsOf(value: Value, run: Run): readonly [string, string] {
  const [item, key, more] = listItems(value, run).map((part) => {
    return textOf(part) ?? fail("type", `a ${typeName(part)} is no separator`);
  });
  if (item === undefined || key === undefined || more !== undefined) {
    return fail("value", "separators are two texts");
  }
  return [item, key];
}
