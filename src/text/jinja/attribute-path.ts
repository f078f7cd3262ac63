/** The argument `attribute` of filters: "a.b.0", a number, or several with commas between. */
import { integerOf, List, type Run, textOf, Undefined, type Value } from "./values.ts";

/** Applied to an item. */
export type Getter = (item: Value) => Value;

export interface GetterForm {
  /** Texts compare without case. */
  readonly ignoresCase?: boolean;
  /** Instead of what is not there; None counts as absent. */
  readonly fallback?: Value;
}

/** jinja2's make_attrgetter. */
export function makeGetter(path: Value, run: Run, form: GetterForm = {}): Getter {
  const parts = partsOf(path);
  const fallback = form.fallback ?? undefined;
  return (item) => {
    let value = item;
    for (const part of parts) {
      value = run.item(value, part);
      if (fallback !== undefined && value instanceof Undefined) value = fallback;
    }
    return form.ignoresCase === true ? ignoreCase(value, run) : value;
  };
}

/** jinja2's make_multi_attrgetter: a list of what each path finds. */
export function makeMultiGetter(paths: Value, run: Run, form: GetterForm = {}): Getter {
  const text = textOf(paths);
  const all: readonly Value[] = text === undefined ? [paths] : text.split(",");
  const getters = all.map((path) => makeGetter(path, run, form));
  return (item) => new List(getters.map((get) => get(item)));
}

export function ignoreCase(value: Value, run: Run): Value {
  const text = textOf(value);
  if (text === undefined) return value;
  run.budget.make(text.length);
  return text.toLowerCase();
}

function partsOf(path: Value): readonly Value[] {
  if (path === null) return [];
  const text = textOf(path);
  if (text === undefined) return [integerOf(path) ?? path];
  return text.split(".").map((part) => (/^\d+$/.test(part) ? BigInt(part) : part));
}
