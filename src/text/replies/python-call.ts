/** Calls as Python writes them: name(key="text", other=[1, True]), alone or in a list (LFM2; tool_code of Gemma 3; Llama 3's own tools). */
import type { WrittenCall } from "./call-syntax.ts";
import { objectText } from "./json-call.ts";

const maxDepth = 64;

/** `body`: calls between optional brackets, with commas or line breaks between them. */
export function parsePythonCalls(body: string): readonly WrittenCall[] | undefined {
  const reader = new PythonReader(body.trim());
  const calls = reader.calls();
  return reader.isAtEnd && calls !== undefined && calls.length > 0 ? calls : undefined;
}

class PythonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  calls(): readonly WrittenCall[] | undefined {
    const isList = this.#take("[");
    const calls: WrittenCall[] = [];
    for (;;) {
      const call = this.#call();
      if (call === undefined) return undefined;
      calls.push(call);
      const isMore = this.#take(",") || (!isList && !this.isAtEnd);
      if (!isMore) return isList && !this.#take("]") ? undefined : calls;
    }
  }

  #call(): WrittenCall | undefined {
    this.#skipSpace();
    const name = this.#match(/[A-Za-z_][\w.-]*/y);
    if (name === undefined || !this.#take("(")) return undefined;
    const members = this.#members(")", "=", () => this.#match(/[A-Za-z_]\w*/y));
    return members && { name, arguments: objectText(members) };
  }

  /** Up to `close`, with `between` each key and its value. */
  #members(
    close: string,
    between: string,
    readKey: () => string | undefined,
    depth = 0,
  ): readonly [string, string][] | undefined {
    const members: [string, string][] = [];
    while (!this.#take(close)) {
      this.#skipSpace();
      const key = readKey();
      if (key === undefined || !this.#take(between)) return undefined;
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      members.push([key, value]);
      if (!this.#take(",") && !this.#text.startsWith(close, this.#at)) return undefined;
    }
    return members;
  }

  #value(depth: number): string | undefined {
    this.#skipSpace();
    if (depth > maxDepth) return undefined;
    if (this.#take("[")) return this.#list("]", depth);
    if (this.#take("(")) return this.#list(")", depth);
    if (this.#take("{")) {
      const members = this.#members("}", ":", () => this.#string(), depth);
      return members && objectText(members);
    }
    const text = this.#string();
    if (text !== undefined) return JSON.stringify(text);
    const word = this.#match(/(?:True|False|None|true|false|null)\b/y);
    if (word !== undefined) return word === "None" ? "null" : word.toLowerCase();
    const number = this.#match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y);
    return number;
  }

  #list(close: string, depth: number): string | undefined {
    const items: string[] = [];
    while (!this.#take(close)) {
      const item = this.#value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
      if (!this.#take(",") && !this.#text.startsWith(close, this.#at)) return undefined;
    }
    return `[${items.join(", ")}]`;
  }

  #string(): string | undefined {
    const written = this.#match(/"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*'/sy);
    if (written === undefined) return undefined;
    return written
      .slice(1, -1)
      .replaceAll(/\\(u[\da-fA-F]{4}|x[\da-fA-F]{2}|.)/gs, (_, code: string) => {
        const [kind = ""] = code;
        if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
        return escapes.get(kind) ?? (`\\"'/`.includes(kind) ? kind : `\\${kind}`);
      });
  }

  #skipSpace(): void {
    this.#match(/\s*/y);
  }

  /** With white space around it. */
  #take(text: string): boolean {
    const before = this.#at;
    this.#skipSpace();
    if (!this.#text.startsWith(text, this.#at)) {
      this.#at = before;
      return false;
    }
    this.#at += text.length;
    this.#skipSpace();
    return true;
  }

  #match(form: RegExp): string | undefined {
    form.lastIndex = this.#at;
    const found = form.exec(this.#text);
    if (found === null) return undefined;
    this.#at = form.lastIndex;
    return found[0];
  }
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["b", "\b"],
  ["f", "\f"],
  ["\n", ""],
]);
