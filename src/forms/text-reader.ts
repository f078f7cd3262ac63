/** Reads a grammar or pattern code point by code point, and says where in it something is wrong. */
import { FormError } from "../core/errors.ts";

export class TextReader {
  readonly #what: string;
  readonly #points: readonly string[];
  #at = 0;

  /** `what` names the text in errors: "grammar", "regex". */
  constructor(text: string, what: string) {
    this.#what = what;
    this.#points = Array.from(text);
  }

  /** In code points. */
  get position(): number {
    return this.#at;
  }

  set position(position: number) {
    this.#at = position;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#points.length;
  }

  /** The next character, or one further on; "" behind the end. */
  peek(ahead = 0): string {
    return this.#points[this.#at + ahead] ?? "";
  }

  next(): string {
    const character = this.peek();
    if (character !== "") this.#at++;
    return character;
  }

  /** Takes `expected` if it comes next. */
  take(expected: string): boolean {
    for (let ahead = 0; ahead < expected.length; ahead++) {
      if (this.peek(ahead) !== expected[ahead]) return false;
    }
    this.#at += expected.length;
    return true;
  }

  takeWhile(isTaken: (character: string) => boolean): string {
    const from = this.#at;
    while (!this.isAtEnd && isTaken(this.peek())) this.#at++;
    return this.#points.slice(from, this.#at).join("");
  }

  /** `digits` hexadecimal ones, as a number. */
  hexadecimal(digits: number): number {
    let value = 0;
    for (let digit = 0; digit < digits; digit++) {
      const character = this.next();
      if (!/^[0-9a-fA-F]$/.test(character))
        throw this.error(`needs ${digits} hexadecimal digits here`);
      value = value * 16 + Number.parseInt(character, 16);
    }
    return value;
  }

  /** A whole number; undefined where there is no digit. */
  number(): number | undefined {
    const digits = this.takeWhile((character) => character >= "0" && character <= "9");
    return digits === "" ? undefined : Number(digits);
  }

  /** `remedy` ends the sentence that says what to do. */
  error(problem: string, remedy?: string): FormError {
    const before = this.#points.slice(0, this.#at);
    const line = before.filter((character) => character === "\n").length + 1;
    const column = this.#at - before.lastIndexOf("\n");
    const found = this.isAtEnd ? "the end" : JSON.stringify(this.peek());
    const where = line === 1 ? `character ${column}` : `line ${line}, character ${column}`;
    return new FormError(
      `${this.#what}, ${where}`,
      `${problem} (found ${found})`,
      remedy ?? `correct the ${this.#what}`,
    );
  }
}
