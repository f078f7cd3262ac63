/**
 * How values are written in an answer: JSON as JSON.stringify writes it, with one space or none behind each comma and
 * colon. Characters stand for themselves except the quote, the backslash and the controls, which are escaped. Some
 * families of models have a dialect of their own for the arguments of a call.
 */
import type { Dialect } from "../../text/replies/call-grammar.ts";
import { type CodePoints, complement, hasCodePoint, intersection, utf8Of } from "../code-points.ts";
import { choice, type Expression, nothing, sequence, text } from "../expression.ts";
import type { Json } from "./document.ts";

const controls: readonly number[] = [0, 0x1f];
const backslash = 0x5c;

/** One character of a set inside a string between two of `quote`. */
export function quotedCharacter(set: CodePoints, quote: string): Expression {
  const point = quote.charCodeAt(0);
  const escaped: CodePoints = [...controls, point, point, backslash, backslash];
  const options = [utf8Of(intersection(set, complement(escaped)))];
  for (let each = 0; each <= backslash; each++) {
    if (!hasCodePoint(escaped, each) || !hasCodePoint(set, each)) continue;
    const isQuote = each === point;
    const spelled = JSON.stringify(String.fromCodePoint(each)).slice(1, -1);
    options.push(text(isQuote ? `\\${quote}` : spelled));
  }
  return choice(options);
}

const space: Expression = { kind: "repeat", body: text(" "), least: 0, most: 1, isGap: true };
export const comma: Expression = sequence(text(","), space);
export const colon: Expression = sequence(text(":"), space);

/** Names that stand without quotes between braces. */
export const bareName = '^[^\\s:{}\\[\\],"<>|]+$';
const isBare = new RegExp(bareName, "u");

/** How constants and names are written. Lone surrogates in strings cannot be written. */
export class Spelling {
  readonly dialect: Dialect | undefined;
  readonly #write: (text: string) => Expression;

  /** `write`: a text with marks. */
  constructor(dialect: Dialect | undefined, write: (text: string) => Expression = text) {
    this.dialect = dialect;
    this.#write = write;
  }

  word(value: null | boolean): Expression {
    const json = String(value);
    if (this.dialect?.kind !== "python") return text(json);
    return text(value === null ? "None" : json.charAt(0).toUpperCase() + json.slice(1));
  }

  literal(value: Json): Expression {
    if (value === null || typeof value === "boolean") return this.word(value);
    if (typeof value === "string") return this.#string(value);
    if (Array.isArray(value)) {
      const items = value.map((item) => this.literal(item));
      return sequence(text("["), ...separated(items), text("]"));
    }
    if (typeof value !== "object") return text(JSON.stringify(value));
    const members = Object.entries(value).map(([key, each]) =>
      sequence(this.name(key), colon, this.literal(each)),
    );
    return sequence(text("{"), ...separated(members), text("}"));
  }

  /** Of a property. */
  name(name: string): Expression {
    if (this.dialect?.kind === "braces" && isBare.test(name)) return text(name);
    return text(JSON.stringify(name));
  }

  /** What stands around texts that are written as they are; undefined where quotes are escaped. */
  get mark(): { readonly text: string; readonly written: Expression } | undefined {
    if (this.dialect?.kind !== "braces") return undefined;
    return { text: this.dialect.quote, written: this.#write(this.dialect.quote) };
  }

  #string(value: string): Expression {
    const { mark } = this;
    if (mark === undefined) return text(JSON.stringify(value));
    if (value.includes(mark.text)) return nothing;
    return sequence(mark.written, text(value), mark.written);
  }
}

function separated(parts: readonly Expression[]): readonly Expression[] {
  return parts.flatMap((part, at) => (at === 0 ? [part] : [comma, part]));
}
