/** pprint.pformat of Python's library with its defaults: 80 columns, keys sorted. */
import { countCodePoints } from "./code-points.ts";
import { isLess } from "./compare.ts";
import { fail, TemplateError } from "./errors.ts";
import { represent } from "./represent.ts";
import { splitLines } from "./search-text.ts";
import { Dict, List, type Run, Tuple, typeName, type Value } from "./values.ts";
import { notSpaceClass, spaceClass } from "./white-space.ts";

const columns = 80;

export function prettyPrint(value: Value, run: Run): string {
  return new Printer(run).print(value, { indent: 0, allowance: 0, level: 0 });
}

interface Place {
  /** Columns before the value. */
  readonly indent: number;
  /** Columns that must stay free after it. */
  readonly allowance: number;
  readonly level: number;
}

class Printer {
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  print(value: Value, place: Place): string {
    const short = this.#represent(value);
    if (this.#width(short) <= columns - place.indent - place.allowance) return short;
    const inner = { ...place, level: place.level + 1 };
    if (typeof value === "string") return this.#printText(value, short, inner);
    if (value instanceof List) return this.#printItems("[", value.items, "]", inner);
    if (value instanceof Tuple && value.fields.length === 0) {
      return this.#printItems("(", value.items, value.items.length === 1 ? ",)" : ")", inner);
    }
    return value instanceof Dict ? this.#printDict(value, inner) : short;
  }

  #width(text: string): number {
    return countCodePoints(text, this.#run.budget);
  }

  /** repr() with the keys of dicts sorted. */
  #represent(value: Value): string {
    const represent_ = (item: Value): string => this.#represent(item);
    if (value instanceof List) return `[${value.items.map(represent_).join(", ")}]`;
    if (value instanceof Tuple && value.fields.length === 0) {
      const items = value.items.map(represent_).join(", ");
      return value.items.length === 1 ? `(${items},)` : `(${items})`;
    }
    if (!(value instanceof Dict)) return represent(value, this.#run);
    const pairs = this.#sortedPairs(value).map((pair) => pair.map(represent_).join(": "));
    return `{${pairs.join(", ")}}`;
  }

  #sortedPairs(dict: Dict): readonly (readonly [Value, Value])[] {
    this.#run.budget.makeItems(dict.entries.size);
    return [...dict.entries.values()].sort(([a], [b]) => {
      if (this.#isBefore(a, b)) return -1;
      return this.#isBefore(b, a) ? 1 : 0;
    });
  }

  /** Keys without an order go by the names of their types. */
  #isBefore(a: Value, b: Value): boolean {
    try {
      return isLess(a, b, this.#run);
    } catch (error) {
      if (!(error instanceof TemplateError) || error.kind === "limit") throw error;
    }
    const [left, right] = [typeName(a), typeName(b)];
    if (left === right) fail("unsupported", `keys of type ${left} have no order to print them in`);
    return left < right;
  }

  #printItems(open: string, items: readonly Value[], close: string, place: Place): string {
    const indent = place.indent + 1;
    const last = items.length - 1;
    const lines = items.map((item, index) => {
      const allowance = index === last ? place.allowance + close.length : 1;
      return this.print(item, { ...place, indent, allowance });
    });
    return open + lines.join(`,\n${" ".repeat(indent)}`) + close;
  }

  #printDict(dict: Dict, place: Place): string {
    const indent = place.indent + 1;
    const last = dict.entries.size - 1;
    const lines = this.#sortedPairs(dict).map(([key, value], index) => {
      const name = this.#represent(key);
      const allowance = index === last ? place.allowance + 1 : 1;
      const inner = { ...place, indent: indent + this.#width(name) + 2, allowance };
      return `${name}: ${this.print(value, inner)}`;
    });
    return `{${lines.join(`,\n${" ".repeat(indent)}`)}}`;
  }

  /** A long text becomes several literals below each other. */
  #printText(text: string, short: string, place: Place): string {
    const isOuter = place.level === 1;
    const indent = place.indent + (isOuter ? 1 : 0);
    const allowance = place.allowance + (isOuter ? 1 : 0);
    const room = columns - indent;
    const lines = splitLines(text, true, this.#run);
    const chunks = lines.flatMap((line, index) => {
      const isLast = index === lines.length - 1;
      const written = this.#represent(line);
      if (this.#width(written) <= room - (isLast ? allowance : 0)) return [written];
      return this.#splitLine(line, room, isLast ? allowance : 0);
    });
    if (chunks.length === 1) return lines.length === 1 ? (chunks[0] ?? short) : short;
    const joined = chunks.join(`\n${" ".repeat(indent)}`);
    return isOuter ? `(${joined})` : joined;
  }

  /** At blanks; the last part leaves `allowance` free. */
  #splitLine(line: string, room: number, allowance: number): readonly string[] {
    const parts = line.match(partPattern) ?? [];
    const chunks: string[] = [];
    let current = "";
    for (const [index, part] of parts.entries()) {
      const width = room - (index === parts.length - 1 ? allowance : 0);
      this.#run.budget.make(current.length + part.length);
      if (this.#width(this.#represent(current + part)) <= width) {
        current += part;
        continue;
      }
      if (current !== "") chunks.push(this.#represent(current));
      current = part;
    }
    return current === "" ? chunks : [...chunks, this.#represent(current)];
  }
}

/** A word and the white space after it. */
const partPattern = new RegExp(`${notSpaceClass}+${spaceClass}*|${spaceClass}+`, "g");
