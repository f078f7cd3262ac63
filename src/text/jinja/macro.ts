/** A macro, or the body of a call block: a function that makes a text. jinja2's runtime.Macro. */
import { fail } from "./errors.ts";
import { represent } from "./represent.ts";
import {
  type Call,
  Dict,
  type HashKey,
  Instance,
  type Run,
  Tuple,
  Undefined,
  type Value,
} from "./values.ts";

/** The values of a call's parameters, "caller", "kwargs" and "varargs" included; those absent get their defaults. */
type Bound = ReadonlyMap<string, Value>;

export interface MacroForm {
  /** Absent of a call block. */
  readonly name: string | undefined;
  readonly parameters: readonly string[];
  /** The special names that the body uses: "caller", "kwargs", "varargs". */
  readonly uses: ReadonlySet<string>;
}

export class Macro extends Instance {
  override readonly type = "Macro";
  readonly #form: MacroForm;
  readonly #render: (values: Bound) => Value;

  constructor(form: MacroForm, render: (values: Bound) => Value) {
    super();
    this.#form = form;
    this.#render = render;
  }

  override readonly call = (call: Call): Value => this.#render(bind(this.#form, call));

  override readonly describe = (run: Run): string => {
    const { name } = this.#form;
    return `<Macro ${name === undefined ? "anonymous" : represent(name, run)}>`;
  };

  override attribute(name: string): Value | undefined {
    const { parameters } = this.#form;
    switch (name) {
      case "name":
        return this.#form.name ?? null;
      case "arguments":
        return new Tuple(parameters);
      case "catch_kwargs":
        return usesSpecial(this.#form, "kwargs");
      case "catch_varargs":
        return usesSpecial(this.#form, "varargs");
      case "caller":
        return this.#form.uses.has("caller");
      case "explicit_caller":
        return parameters.includes("caller");
      default:
        return undefined;
    }
  }
}

function usesSpecial({ uses, parameters }: MacroForm, name: string): boolean {
  return uses.has(name) && !parameters.includes(name);
}

function bind(form: MacroForm, { positional, named }: Call): Bound {
  const { parameters } = form;
  const values = new Map<string, Value>();
  const rest = new Map(named);
  for (const [index, name] of parameters.entries()) {
    const value = positional[index] ?? (positional.length > index ? null : rest.get(name));
    if (index >= positional.length) rest.delete(name);
    if (value !== undefined) values.set(name, value);
  }
  if (form.uses.has("caller") && !parameters.includes("caller")) {
    const caller = rest.get("caller") ?? new Undefined("no caller defined");
    rest.delete("caller");
    values.set("caller", caller);
  }
  const [unknown] = rest.keys();
  if (usesSpecial(form, "kwargs")) values.set("kwargs", dictOf(rest));
  else if (unknown !== undefined) fail("type", `the macro takes no argument "${unknown}"`);
  const more = positional.slice(parameters.length);
  if (usesSpecial(form, "varargs")) values.set("varargs", new Tuple(more));
  else if (more.length > 0) {
    fail(
      "type",
      `the macro takes ${parameters.length} arguments at most, not ${positional.length}`,
    );
  }
  return values;
}

function dictOf(names: ReadonlyMap<string, Value>): Dict {
  const entries = new Map<HashKey, readonly [Value, Value]>();
  for (const [name, value] of names) entries.set(`s${name}`, [name, value]);
  return new Dict(entries);
}
