/**
 * Gemma's own form: call:NAME{key:value,…}, where texts stand between a mark of their own (<|"|> in Gemma 4, <escape> in
 * FunctionGemma), numbers and true, false, null are JSON's, and keys have no quotes.
 */
import type { WrittenCall } from "./call-syntax.ts";
import { objectText } from "./json-call.ts";

/** Deeper than any schema that a model has been given. */
const maxDepth = 64;

export function parseBraceCall(
  quote: string,
): (body: string) => readonly WrittenCall[] | undefined {
  return (body) => {
    const [head, name] = /^\s*call:([\w.-]+)\s*(?=\{)/.exec(body) ?? [];
    if (head === undefined || name === undefined) return undefined;
    const reader = new BraceReader(body, head.length, quote);
    const value = reader.value(0);
    if (value === undefined || !reader.isAtEnd) return undefined;
    return [{ name, arguments: value }];
  };
}

class BraceReader {
  readonly #text: string;
  readonly #quote: string;
  #at: number;

  constructor(text: string, at: number, quote: string) {
    this.#text = text;
    this.#at = at;
    this.#quote = quote;
  }

  get isAtEnd(): boolean {
    return this.#text.slice(this.#at).trim() === "";
  }

  /** JSON text; undefined where the text is not of this form. */
  value(depth: number): string | undefined {
    this.#skipSpace();
    if (depth > maxDepth) return undefined;
    if (this.#take("{")) return this.#object(depth);
    if (this.#take("[")) return this.#list(depth);
    if (this.#take(this.#quote)) return this.#quoted();
    const [word] =
      this.#match(/(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/y) ?? [];
    if (word !== undefined && isJson(word)) return word;
    return this.#match(/"[^"\\]*(?:\\.[^"\\]*)*"/y)?.find(isJson);
  }

  #object(depth: number): string | undefined {
    const members: [string, string][] = [];
    this.#skipSpace();
    if (this.#take("}")) return "{}";
    for (;;) {
      const key = this.#key();
      this.#skipSpace();
      if (key === undefined || !this.#take(":")) return undefined;
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      members.push([key, value]);
      this.#skipSpace();
      if (this.#take("}")) return objectText(members);
      if (!this.#take(",")) return undefined;
    }
  }

  #list(depth: number): string | undefined {
    const items: string[] = [];
    this.#skipSpace();
    if (this.#take("]")) return "[]";
    for (;;) {
      const item = this.value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
      this.#skipSpace();
      if (this.#take("]")) return `[${items.join(", ")}]`;
      if (!this.#take(",")) return undefined;
    }
  }

  #key(): string | undefined {
    this.#skipSpace();
    if (this.#take(this.#quote)) return unquoted(this.#quoted());
    const [quoted] = this.#match(/"[^"\\]*(?:\\.[^"\\]*)*"/y) ?? [];
    if (quoted !== undefined) return isJson(quoted) ? unquoted(quoted) : undefined;
    return this.#match(/[^\s:{}[\],"]+/y)?.[0];
  }

  #quoted(): string | undefined {
    const end = this.#text.indexOf(this.#quote, this.#at);
    if (end < 0) return undefined;
    const text = this.#text.slice(this.#at, end);
    this.#at = end + this.#quote.length;
    return JSON.stringify(text);
  }

  #skipSpace(): void {
    this.#match(/\s*/y);
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(form: RegExp): RegExpExecArray | undefined {
    form.lastIndex = this.#at;
    const found = form.exec(this.#text);
    if (found === null) return undefined;
    this.#at = form.lastIndex;
    return found;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function unquoted(json: string | undefined): string | undefined {
  const value: unknown = json === undefined ? undefined : JSON.parse(json);
  return typeof value === "string" ? value : undefined;
}
