/** How a family of models writes a call of a tool: where it begins, where it ends, what it says. */
import type { Tool } from "./tool.ts";

/** A call as it was written; its id is the model's own, if it wrote one. */
export interface WrittenCall {
  readonly id?: string;
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
}

/**
 * open: more must be read. none: what follows the mark is no call; the mark is text. whole: the call has ended; `calls`
 * is undefined where they do not parse, `rest` is what was read beyond them.
 */
export type Extent =
  | { readonly kind: "open" }
  | { readonly kind: "none" }
  | {
      readonly kind: "whole";
      readonly calls: readonly WrittenCall[] | undefined;
      readonly rest: string;
    };

/** Reads one call as it grows. */
export interface CallReader {
  /** `piece`: the next text behind the mark, or from a bare mark on. `isEnd`: nothing will follow. */
  read(piece: string, isEnd: boolean): Extent;
}

export interface CallSyntax {
  /** The text that a call begins with. */
  readonly mark: string;
  /**
   * Whether the mark is part of the call itself ("{"): the body begins with it. Such a call counts only at the beginning of
   * what the model says, and only of a declared tool; whatever else begins so is content without a word.
   */
  readonly isBare?: boolean;
  createReader(tools: readonly Tool[]): CallReader;
}

export interface TextCallOptions {
  readonly mark: string;
  /** What must follow the mark, white space apart. */
  readonly first?: string;
  readonly close: string;
  /** Whether a close mark behind this body is meant as one. Default: always. */
  readonly isWhole?: (body: string) => boolean;
  readonly parse: (body: string, tools: readonly Tool[]) => readonly WrittenCall[] | undefined;
}

/** A call that ends with a mark. At the end of an answer the mark may be missing. */
export function textCall(options: TextCallOptions): CallSyntax {
  return { mark: options.mark, createReader: (tools) => new TextCallReader(options, tools) };
}

class TextCallReader implements CallReader {
  readonly #options: TextCallOptions;
  readonly #tools: readonly Tool[];
  readonly #pieces: string[] = [];
  #length = 0;
  /** The beginning, until it is known to be right. */
  #head: string | undefined = "";
  /** The last characters read, too few for a close mark. */
  #tail = "";

  constructor(options: TextCallOptions, tools: readonly Tool[]) {
    this.#options = options;
    this.#tools = tools;
  }

  read(piece: string, isEnd: boolean): Extent {
    if (!this.#beginsWell(piece)) return { kind: "none" };
    const { close, isWhole = () => true, parse } = this.#options;
    const window = this.#tail + piece;
    const before = this.#length - this.#tail.length;
    this.#pieces.push(piece);
    this.#length += piece.length;
    for (let at = window.indexOf(close); at >= 0; at = window.indexOf(close, at + 1)) {
      const body = this.#pieces.join("");
      const inner = body.slice(0, before + at);
      if (!isWhole(inner)) continue;
      const rest = body.slice(inner.length + close.length);
      return { kind: "whole", calls: parse(inner, this.#tools), rest };
    }
    this.#tail = window.slice(Math.max(0, window.length - close.length + 1));
    if (!isEnd) return { kind: "open" };
    return { kind: "whole", calls: parse(this.#pieces.join(""), this.#tools), rest: "" };
  }

  #beginsWell(piece: string): boolean {
    const { first = "" } = this.#options;
    if (this.#head === undefined) return true;
    this.#head += piece;
    const start = this.#head.trimStart();
    if (!start.startsWith(first.slice(0, start.length))) return false;
    if (start.length >= first.length) this.#head = undefined;
    return true;
  }
}
