/**
 * A template's source to tokens: jinja2/lexer.py with trim_blocks and lstrip_blocks, as transformers sets them.
 * trim_blocks: the first newline after a block goes. lstrip_blocks: blanks from the start of a line to a block go.
 */
import { fail } from "./errors.ts";
import { unescapeString } from "./string-literal.ts";
import type { Token } from "./tokens.ts";
import { spaceClass, trimEnd } from "./white-space.ts";

const rawBegin = new RegExp(
  `\\{%([-+]?)${spaceClass}*raw${spaceClass}*(?:-%\\}${spaceClass}*|%\\})`,
  "y",
);
const rawEnd = new RegExp(
  `\\{%([-+]?)${spaceClass}*endraw${spaceClass}*(?:\\+%\\}|-%\\}${spaceClass}*|%\\}\\n?)`,
  "g",
);
const commentEnd = new RegExp(`\\+#\\}|-#\\}${spaceClass}*|#\\}\\n?`, "g");
const blockEnd = new RegExp(`\\+%\\}|-%\\}${spaceClass}*|%\\}\\n?`, "y");
const variableEnd = new RegExp(`-\\}\\}${spaceClass}*|\\}\\}`, "y");
const blankLine = new RegExp(`^${spaceClass}+$`);
const spaces = new RegExp(`${spaceClass}+`, "y");
const float = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/y;
const integer =
  /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const name = /[\p{ID_Continue}\p{N}]+/uy;
const identifier = /^[\p{ID_Start}_]\p{ID_Continue}*$/u;
const string = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const operator = /\*\*|\/\/|==|!=|>=|<=|[+\-/*%~[\](){}><=.:|,;]/y;

/** @throws TemplateError of kind "syntax" */
export function tokenize(source: string): readonly Token[] {
  return new Lexer(normalizeNewlines(source)).run();
}

/** Newlines become \n, and one at the end goes (keep_trailing_newline is false). */
function normalizeNewlines(source: string): string {
  const text = source.replace(/\r\n?/g, "\n");
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #position = 0;
  #line = 1;
  #lineStarts = true;

  constructor(source: string) {
    this.#source = source;
  }

  run(): readonly Token[] {
    while (this.#position < this.#source.length) this.#readPart();
    this.#push("eof", "");
    return this.#tokens;
  }

  /** The text up to the next tag, and that tag. */
  #readPart(): void {
    const found = /\{[{%#]/g;
    found.lastIndex = this.#position;
    const match = found.exec(this.#source);
    if (match === null) {
      this.#pushData(this.#source.slice(this.#position));
      this.#position = this.#source.length;
      return;
    }
    const text = this.#source.slice(this.#position, match.index);
    const raw = this.#matchAt(rawBegin, match.index);
    const sign = raw === undefined ? this.#signAt(match.index + 2) : (raw[1] ?? "");
    this.#pushData(match[0] === "{{" ? strip(text, sign) : this.#stripBeforeBlock(text, sign));
    this.#line += count(this.#source.slice(this.#position, match.index));
    this.#position = match.index;
    if (raw !== undefined) this.#readRaw(raw[0]);
    else this.#readOpened(match[0], sign);
  }

  #readOpened(opening: string, sign: string): void {
    this.#position += 2 + sign.length;
    this.#lineStarts = false;
    if (opening === "{#") this.#readComment();
    else this.#readTag(opening === "{{" ? "variable" : "block");
  }

  #signAt(position: number): string {
    const character = this.#source.charAt(position);
    return character === "-" || character === "+" ? character : "";
  }

  #stripBeforeBlock(text: string, sign: string): string {
    if (sign !== "") return strip(text, sign);
    const line = text.lastIndexOf("\n") + 1;
    if (line === 0 && !this.#lineStarts) return text;
    return blankLine.test(text.slice(line)) ? text.slice(0, line) : text;
  }

  #readRaw(opening: string): void {
    this.#advance(opening);
    rawEnd.lastIndex = this.#position;
    const end = rawEnd.exec(this.#source);
    if (end === null) fail("syntax", `line ${this.#line}: {% raw %} without {% endraw %}`);
    const text = this.#source.slice(this.#position, end.index);
    this.#pushData(this.#stripBeforeBlock(text, end[1] ?? ""));
    this.#advance(text + end[0]);
  }

  #readComment(): void {
    commentEnd.lastIndex = this.#position;
    const end = commentEnd.exec(this.#source);
    if (end === null) fail("syntax", `line ${this.#line}: {# without #}`);
    this.#advance(this.#source.slice(this.#position, end.index) + end[0]);
  }

  /** The words between the brackets of a tag. */
  #readTag(kind: "variable" | "block"): void {
    this.#push(`${kind}_begin`, kind === "variable" ? "{{" : "{%");
    const closing = kind === "variable" ? variableEnd : blockEnd;
    const open: string[] = [];
    for (;;) {
      const end = open.length === 0 ? this.#matchAt(closing, this.#position) : undefined;
      if (end !== undefined) {
        this.#push(`${kind}_end`, kind === "variable" ? "}}" : "%}");
        this.#advance(end[0]);
        return;
      }
      if (this.#position >= this.#source.length) fail("syntax", "unexpected end of template");
      this.#readWord(open);
    }
  }

  #readWord(open: string[]): void {
    if (this.#take(spaces) !== undefined) return;
    for (const [type, pattern] of literals) {
      const text = this.#take(pattern);
      if (text === undefined) continue;
      this.#push(type, text.replaceAll("_", ""));
      return;
    }
    const word = this.#take(name);
    if (word !== undefined) {
      this.#pushName(word);
      return;
    }
    const quoted = this.#take(string);
    if (quoted !== undefined) {
      this.#push("string", unescapeString(quoted.slice(1, -1)));
      return;
    }
    const sign = this.#take(operator);
    if (sign === undefined) {
      const found = JSON.stringify(this.#source.charAt(this.#position));
      fail("syntax", `line ${this.#line}: unexpected character ${found}`);
    }
    this.#balance(sign, open);
    this.#push("operator", sign);
  }

  #pushName(word: string): void {
    if (!identifier.test(word)) fail("syntax", `line ${this.#line}: invalid identifier ${word}`);
    this.#push("name", word);
  }

  #balance(sign: string, open: string[]): void {
    const closing = closings[sign];
    if (closing !== undefined) open.push(closing);
    if (sign !== ")" && sign !== "]" && sign !== "}") return;
    if (open.pop() !== sign) fail("syntax", `line ${this.#line}: unexpected ${sign}`);
  }

  #matchAt(pattern: RegExp, position: number): RegExpExecArray | undefined {
    pattern.lastIndex = position;
    return pattern.exec(this.#source) ?? undefined;
  }

  #take(pattern: RegExp): string | undefined {
    const text = this.#matchAt(pattern, this.#position)?.[0];
    if (text !== undefined) this.#advance(text);
    return text;
  }

  #advance(text: string): void {
    this.#position += text.length;
    this.#line += count(text);
    this.#lineStarts = text.endsWith("\n");
  }

  #pushData(text: string): void {
    if (text !== "") this.#push("data", text);
  }

  #push(type: Token["type"], text: string): void {
    this.#tokens.push({ type, text, line: this.#line });
  }
}

const literals = [
  ["float", float],
  ["integer", integer],
] as const;

const closings: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

function strip(text: string, sign: string): string {
  return sign === "-" ? trimEnd(text) : text;
}

function count(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}
