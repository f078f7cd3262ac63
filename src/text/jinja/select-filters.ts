/** map, select, reject, selectattr and rejectattr: they call other filters and tests by name, when their result is read. */
import { makeGetter } from "./attribute-path.ts";
import { fail } from "./errors.ts";
import type { Filter } from "./filter.ts";
import { iterate, lazily } from "./iterate.ts";
import { type Call, isTrue, type Run, type Value } from "./values.ts";

export const selectFilters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ["map", (input, call, run) => lazily(() => mapItems(input, call, run))],
  ["select", (input, call, run) => lazily(() => selectItems(input, call, run, itemTest(true)))],
  ["reject", (input, call, run) => lazily(() => selectItems(input, call, run, itemTest(false)))],
  [
    "selectattr",
    (input, call, run) => lazily(() => selectItems(input, call, run, attributeTest(true))),
  ],
  [
    "rejectattr",
    (input, call, run) => lazily(() => selectItems(input, call, run, attributeTest(false))),
  ],
]);

function* mapItems(input: Value, call: Call, run: Run): Generator<Value> {
  if (!isTrue(input, run)) return;
  const change = mapper(call, run);
  for (const item of iterate(input, run)) yield change(item);
}

function mapper({ positional, named }: Call, run: Run): (item: Value) => Value {
  const path = named.get("attribute");
  if (positional.length === 0 && path !== undefined) {
    for (const name of named.keys()) {
      if (name !== "attribute" && name !== "default")
        fail("value", `map takes no argument "${name}"`);
    }
    return makeGetter(path, run, { fallback: named.get("default") ?? null });
  }
  const [name, ...rest] = positional;
  if (name === undefined) return fail("value", "map wants a filter or an attribute");
  return (item) => run.filter(name, item, { positional: rest, named });
}

interface SelectForm {
  /** Items that pass are kept. */
  readonly keeps: boolean;
  /** The first argument is the path of an attribute, which is tested in place of the item. */
  readonly isByAttribute: boolean;
}

function itemTest(keeps: boolean): SelectForm {
  return { keeps, isByAttribute: false };
}

function attributeTest(keeps: boolean): SelectForm {
  return { keeps, isByAttribute: true };
}

function* selectItems(input: Value, call: Call, run: Run, form: SelectForm): Generator<Value> {
  if (!isTrue(input, run)) return;
  const passes = tester(call, run, form.isByAttribute);
  for (const item of iterate(input, run)) if (passes(item) === form.keeps) yield item;
}

function tester(
  { positional, named }: Call,
  run: Run,
  isByAttribute: boolean,
): (item: Value) => boolean {
  const [path, ...others] = positional;
  if (isByAttribute && path === undefined) fail("value", "an attribute is wanted");
  const get = isByAttribute ? makeGetter(path ?? null, run) : (item: Value): Value => item;
  const [name, ...rest] = isByAttribute ? others : positional;
  if (name === undefined) return (item) => isTrue(get(item), run);
  return (item) => isTrue(run.test(name, get(item), { positional: rest, named }), run);
}
