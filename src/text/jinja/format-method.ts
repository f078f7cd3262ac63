/** str.format() and str.format_map(), as the sandbox has them: attributes and items by its own rules. */
import { fail } from "./errors.ts";
import { format } from "./format-spec.ts";
import { asciiOf } from "./percent-format.ts";
import { represent, toText } from "./represent.ts";
import { type Call, orElse, type Run, type Value } from "./values.ts";

type Escape = ((value: Value, spec: string) => string) | undefined;

/** `escapeField`: how a Markup formats a field. */
export function formatFields(text: string, call: Call, run: Run, escapeField?: Escape): string {
  return new Formatter(call, run, escapeField).format(text, 2);
}

class Formatter {
  readonly #call: Call;
  readonly #run: Run;
  readonly #escape: Escape;
  /** The number of the next field without a name; undefined once a field has a number written. */
  #automatic: number | undefined = 0;

  constructor(call: Call, run: Run, escapeField: Escape) {
    this.#call = call;
    this.#run = run;
    this.#escape = escapeField;
  }

  /** `depth`: how deep fields may stand in formats of fields. */
  format(text: string, depth: number): string {
    if (depth < 0) fail("value", "fields stand too deep in fields");
    let result = "";
    let position = 0;
    for (;;) {
      const next = text.slice(position).search(/[{}]/);
      const at = next < 0 ? text.length : position + next;
      result += text.slice(position, at);
      if (at === text.length) break;
      if (text.charAt(at) === text.charAt(at + 1)) {
        result += text.charAt(at);
        position = at + 2;
        continue;
      }
      if (text.charAt(at) === "}") fail("value", 'single "}" in a format');
      const end = fieldEnd(text, at + 1);
      result += this.#formatField(text.slice(at + 1, end), depth);
      position = end + 1;
      this.#run.budget.make(result.length - at);
    }
    return result;
  }

  #formatField(field: string, depth: number): string {
    const [, name = "", conversion, spec = ""] =
      /^((?:\[[^\]]*\]|[^:!])*)(?:!([^:]*))?(?::([\s\S]*))?$/.exec(field) ??
      fail("value", `"${field}" is no field`);
    if (/[{}]/.test(name)) fail("value", 'unexpected "{" in the name of a field');
    const value = this.#convert(this.#find(name), conversion);
    const inner = this.format(spec, depth - 1);
    return this.#escape?.(value, inner) ?? format(value, inner, this.#run);
  }

  #convert(value: Value, conversion: string | undefined): Value {
    switch (conversion) {
      case undefined:
        return value;
      case "s":
        return toText(value, this.#run);
      case "r":
        return represent(value, this.#run);
      case "a":
        return asciiOf(represent(value, this.#run));
      default:
        return fail("value", `unknown conversion "${conversion}"`);
    }
  }

  /** "name.attribute[item]" */
  #find(name: string): Value {
    if (name === "") return this.#positional(this.#nextIndex());
    if (/^\d+$/.test(name)) return this.#positional(this.#explicitIndex(name));
    const [, first = "", rest = ""] = /^([^.[]*)([\s\S]*)$/.exec(name) ?? [];
    let value = /^\d+$/.test(first) ? this.#positional(Number(first)) : this.#named(first);
    let position = 0;
    const step = /\.([^.[]+)|\[([^\]]+)\]/y;
    while (position < rest.length) {
      step.lastIndex = position;
      const match = step.exec(rest);
      if (match === null) fail("value", `"${name}" is no name of a field`);
      const [whole, attribute, item = ""] = match;
      position += whole.length;
      value =
        attribute === undefined
          ? this.#run.item(value, /^\d+$/.test(item) ? BigInt(item) : item)
          : this.#run.attribute(value, attribute);
    }
    return value;
  }

  #named(name: string): Value {
    return orElse(this.#call.named.get(name), () => fail("lookup", `no argument "${name}"`));
  }

  #positional(index: number): Value {
    return orElse(this.#call.positional[index], () => fail("lookup", `no argument ${index}`));
  }

  #nextIndex(): number {
    if (this.#automatic === undefined) fail("value", "numbered and unnumbered fields are mixed");
    return this.#automatic++;
  }

  #explicitIndex(written: string): number {
    if (this.#automatic !== undefined && this.#automatic > 0) {
      fail("value", "numbered and unnumbered fields are mixed");
    }
    this.#automatic = undefined;
    return Number(written);
  }
}

/** The place of the brace that closes a field. */
function fieldEnd(text: string, start: number): number {
  let depth = 1;
  let isInBrackets = false;
  for (let index = start; index < text.length; index++) {
    const character = text.charAt(index);
    if (isInBrackets) isInBrackets = character !== "]";
    else if (character === "[") isInBrackets = true;
    else if (character === "{") depth++;
    else if (character === "}" && --depth === 0) return index;
  }
  return fail("value", 'expected "}" in a format');
}
