/** The tokens of a template, read one after the other, with one word of look-ahead. */
import { fail } from "./errors.ts";
import { maxNesting } from "./limits.ts";
import type { Token } from "./tokens.ts";

export class TokenStream {
  readonly #tokens: readonly Token[];
  readonly #end: Token;
  #index = 0;
  #nesting = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
    this.#end = tokens.at(-1) ?? { type: "eof", text: "", line: 1 };
  }

  get current(): Token {
    return this.#tokens[this.#index] ?? this.#end;
  }

  get #following(): Token {
    return this.#tokens[this.#index + 1] ?? this.#end;
  }

  next(): Token {
    const token = this.current;
    this.#index++;
    return token;
  }

  isOperator(text: string): boolean {
    return this.current.type === "operator" && this.current.text === text;
  }

  isName(...names: readonly string[]): boolean {
    return this.current.type === "name" && names.includes(this.current.text);
  }

  followsOperator(text: string): boolean {
    return this.#following.type === "operator" && this.#following.text === text;
  }

  followsName(text: string): boolean {
    return this.#following.type === "name" && this.#following.text === text;
  }

  skipOperator(text: string): boolean {
    const found = this.isOperator(text);
    if (found) this.#index++;
    return found;
  }

  skipName(text: string): boolean {
    const found = this.isName(text);
    if (found) this.#index++;
    return found;
  }

  expectOperator(text: string): void {
    if (!this.skipOperator(text)) this.failExpecting(`"${text}"`);
  }

  expectName(text: string): void {
    if (!this.skipName(text)) this.failExpecting(`"${text}"`);
  }

  expect(type: Token["type"]): Token {
    if (this.current.type !== type) this.failExpecting(type.replace("_", " "));
    return this.next();
  }

  failExpecting(expected: string): never {
    const { type, text } = this.current;
    this.fail(
      `found ${type === "eof" ? "the end of the template" : `"${text}"`}, expected ${expected}`,
    );
  }

  fail(problem: string): never {
    fail("syntax", `line ${this.current.line}: ${problem}`);
  }

  /** Parses what lies one level deeper. */
  nested<Result>(parse: () => Result): Result {
    this.#nesting++;
    if (this.#nesting > maxNesting) fail("limit", `it nests deeper than ${maxNesting} levels`);
    const result = parse();
    this.#nesting--;
    return result;
  }
}
