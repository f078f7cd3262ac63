/**
 * GBNF, the grammars of llama.cpp: grammars/README.md and src/llama-grammar.cpp there. Tokens as terminals (<[id]>,
 * <text>) are refused: a form of ours is one of text.
 */
import { FormError } from "../core/errors.ts";
import { anyCodePoint, type CodePoints, codePoints, complement, utf8Of } from "./code-points.ts";
import {
  choice,
  type Expression,
  emptyText,
  type Grammar,
  GrammarBuilder,
  repeat,
  sequence,
  text,
} from "./expression.ts";
import { TextReader } from "./text-reader.ts";

/** Groups in groups. */
const maxDepth = 200;
/** Characters: a grammar of every word of a language fits. */
const maxLength = 4 << 20;
const rootName = "root";

/** @throws FormError saying where: bad syntax, an undefined rule, no rule named root. */
export function parseGbnf(source: string): Grammar {
  if (source.length > maxLength) {
    throw new FormError("grammar", `has ${source.length} characters`, `give at most ${maxLength}`);
  }
  return new GbnfParser(source).parse();
}

class GbnfParser {
  readonly #reader: TextReader;
  readonly #builder: GrammarBuilder = new GrammarBuilder();
  readonly #rules: Map<string, number> = new Map();
  readonly #defined: Set<string> = new Set();
  #depth = 0;

  constructor(source: string) {
    this.#reader = new TextReader(source, "grammar");
  }

  parse(): Grammar {
    this.#skipSpace("with line breaks");
    while (!this.#reader.isAtEnd) this.#rule();
    for (const name of this.#rules.keys()) {
      if (this.#defined.has(name)) continue;
      throw new FormError("grammar", `names a rule "${name}" that it does not define`, "define it");
    }
    const root = this.#rules.get(rootName);
    if (root !== undefined) return this.#builder.build(root);
    throw new FormError(
      "grammar",
      "has no rule root",
      'begin with one, as in: root ::= "yes" | "no"',
    );
  }

  #rule(): void {
    const reader = this.#reader;
    const start = reader.position;
    const name = this.#name();
    this.#skipSpace("in the line");
    if (!reader.take("::=")) throw reader.error(`needs ::= after the rule's name "${name}"`);
    if (this.#defined.has(name)) {
      reader.position = start;
      throw reader.error(`defines the rule "${name}" twice`);
    }
    this.#defined.add(name);
    this.#skipSpace("with line breaks");
    this.#builder.define(this.#ruleOf(name), this.#alternatives("in the line"));
    if (!reader.isAtEnd && !/[\r\n]/.test(reader.peek())) {
      throw reader.error("needs a literal, a class, a rule, a group or a new line");
    }
    this.#skipSpace("with line breaks");
  }

  #alternatives(space: "in the line" | "with line breaks"): Expression {
    const options = [this.#sequence(space)];
    while (this.#reader.take("|")) {
      this.#skipSpace("with line breaks");
      options.push(this.#sequence(space));
    }
    return choice(options);
  }

  #sequence(space: "in the line" | "with line breaks"): Expression {
    const parts: Expression[] = [];
    for (;;) {
      const part = this.#symbol();
      if (part === undefined) return parts.length === 0 ? emptyText : sequence(...parts);
      this.#skipSpace(space);
      parts.push(this.#repeated(part, space));
    }
  }

  #symbol(): Expression | undefined {
    const reader = this.#reader;
    if (reader.take('"')) return this.#literal();
    if (reader.take("[")) return { kind: "code", body: utf8Of(this.#class()) };
    if (reader.take(".")) return { kind: "code", body: utf8Of(anyCodePoint) };
    if (reader.peek() === "(") return this.#group();
    if (reader.peek() === "<" || (reader.peek() === "!" && reader.peek(1) === "<")) {
      throw reader.error("names a token of a vocabulary", "write the token's text as a literal");
    }
    if (!isNamePart(reader.peek())) return undefined;
    return { kind: "rule", rule: this.#ruleOf(this.#name()) };
  }

  #group(): Expression {
    const reader = this.#reader;
    if (this.#depth >= maxDepth)
      throw reader.error(`has more than ${maxDepth} groups in each other`);
    reader.take("(");
    this.#depth++;
    this.#skipSpace("with line breaks");
    const body = this.#alternatives("with line breaks");
    this.#depth--;
    if (!reader.take(")")) throw reader.error("needs ) here");
    return body;
  }

  #repeated(body: Expression, space: "in the line" | "with line breaks"): Expression {
    const reader = this.#reader;
    let repeated = body;
    for (;;) {
      if (reader.take("*")) repeated = repeat(repeated, 0, Number.POSITIVE_INFINITY);
      else if (reader.take("+")) repeated = repeat(repeated, 1, Number.POSITIVE_INFINITY);
      else if (reader.take("?")) repeated = repeat(repeated, 0, 1);
      else if (reader.take("{")) repeated = this.#counted(repeated);
      else return repeated;
      this.#skipSpace(space);
    }
  }

  #counted(body: Expression): Expression {
    const reader = this.#reader;
    this.#skipSpace("in the line");
    const least = reader.number();
    if (least === undefined) throw reader.error("needs a number of repeats here");
    this.#skipSpace("in the line");
    let most: number | undefined = least;
    if (reader.take(",")) {
      this.#skipSpace("in the line");
      most = reader.number() ?? Number.POSITIVE_INFINITY;
      this.#skipSpace("in the line");
    }
    if (!reader.take("}")) throw reader.error("needs } here");
    if (most < least) throw reader.error(`repeats at least ${least} and at most ${most} times`);
    return repeat(body, least, most);
  }

  #literal(): Expression {
    const reader = this.#reader;
    let literal = "";
    while (!reader.take('"')) literal += String.fromCodePoint(this.#character('"'));
    return text(literal);
  }

  #class(): CodePoints {
    const reader = this.#reader;
    const isNegated = reader.take("^");
    const ranges: [number, number][] = [];
    while (!reader.take("]")) {
      const first = this.#character("]");
      const isRange = reader.peek() === "-" && reader.peek(1) !== "]";
      if (isRange) reader.next();
      const last = isRange ? this.#character("]") : first;
      if (last < first) throw reader.error("has a range whose end is before its beginning");
      ranges.push([first, last]);
    }
    const set = codePoints(ranges);
    return isNegated ? complement(set) : set;
  }

  /** One character of a literal or a class. */
  #character(close: string): number {
    const reader = this.#reader;
    if (reader.isAtEnd) throw reader.error(`needs ${close} here`);
    if (!reader.take("\\")) return reader.next().codePointAt(0) ?? 0;
    const letter = reader.next();
    const simple = simpleEscapes[letter];
    if (simple !== undefined) return simple;
    const digits = hexadecimalEscapes[letter];
    if (digits === undefined) {
      throw reader.error(`has an unknown escape \\${letter}`);
    }
    const point = reader.hexadecimal(digits);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      throw reader.error(`has an escape of no character (${point.toString(16)})`);
    }
    return point;
  }

  #name(): string {
    const name = this.#reader.takeWhile(isNamePart);
    if (name === "") throw this.#reader.error("needs the name of a rule");
    return name;
  }

  #ruleOf(name: string): number {
    const known = this.#rules.get(name);
    if (known !== undefined) return known;
    const rule = this.#builder.declare(name);
    this.#rules.set(name, rule);
    return rule;
  }

  /** White space and comments. */
  #skipSpace(space: "in the line" | "with line breaks"): void {
    const reader = this.#reader;
    for (;;) {
      const character = reader.peek();
      if (character === "#") reader.takeWhile((next) => next !== "\n" && next !== "\r");
      else if (character === " " || character === "\t") reader.next();
      else if (space === "with line breaks" && (character === "\n" || character === "\r"))
        reader.next();
      else return;
    }
  }
}

const simpleEscapes: Readonly<Record<string, number>> = {
  t: 9,
  r: 13,
  n: 10,
  "\\": 0x5c,
  '"': 0x22,
  "[": 0x5b,
  "]": 0x5d,
  "-": 0x2d,
  "^": 0x5e,
};

const hexadecimalEscapes: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

function isNamePart(character: string): boolean {
  return /^[a-zA-Z0-9_-]$/.test(character);
}
