/**
 * Calls that are JSON: the name and the arguments in one value, or the name in front of the value that is the arguments.
 */
import type { CallReader, CallSyntax, Extent, WrittenCall } from "./call-syntax.ts";
import { itemsOf, JsonExtent, membersOf } from "./json-extent.ts";
import type { Tool } from "./tool.ts";

export interface JsonCallOptions {
  readonly mark: string;
  /**
   * What stands between the mark and the value, up to its "{" or "[" in a lookahead. Its group "name" is the name of a
   * tool, and then the value is the arguments; its group "id" is the call's id. Default: white space.
   */
  readonly header?: RegExp;
  /** What a header can never begin with. Default: all but white space and the value. */
  readonly wrongHeader?: RegExp;
  /** Texts behind the value, each of which may be missing. */
  readonly closers?: readonly string[];
  /** Of a call that has no mark: the value counts only where it is of a declared tool. */
  readonly isBare?: boolean;
  /** The name of the tool, where the mark says it. */
  readonly name?: string;
}

/** A mark that is followed by this much without a value is text. Names have 64 characters at most, and ids no more. */
const maxHeader = 256;
const plainHeader = /^\s*(?=[{[])/;
const noValue = /^\s*[^\s{[]/;

export function jsonCall(options: JsonCallOptions): CallSyntax {
  return {
    mark: options.mark,
    ...(options.isBare === true && { isBare: true }),
    createReader: (tools) => new JsonCallReader(options, tools),
  };
}

class JsonCallReader implements CallReader {
  readonly #options: JsonCallOptions;
  readonly #tools: readonly Tool[];
  readonly #values: string[] = [];
  #phase: "header" | "value" | "closers" = "header";
  /** Of a header, or of what follows a value: until it is decided. */
  #undecided = "";
  /** Of the value that is being read. */
  #pieces: string[] = [];
  #extent = new JsonExtent();
  #name: string | undefined;
  #id: string | undefined;

  constructor(options: JsonCallOptions, tools: readonly Tool[]) {
    this.#options = options;
    this.#tools = tools;
  }

  read(piece: string, isEnd: boolean): Extent {
    let text: string | undefined = piece;
    if (this.#phase === "header") {
      text = this.#readHeader(text);
      if (text === undefined) return this.#withoutHeader(isEnd);
    }
    for (;;) {
      if (this.#phase === "value") {
        text = this.#readValue(text);
        if (text === undefined) return isEnd ? brokenOff : { kind: "open" };
      }
      this.#undecided += text;
      const next = this.#whatFollows(isEnd);
      if (next === "open") return { kind: "open" };
      if (next.kind === "rest") return { kind: "whole", calls: this.#calls(), rest: next.text };
      text = next.text;
      this.#beginValue();
    }
  }

  /** What follows the header; undefined while it is not known. */
  #readHeader(piece: string): string | undefined {
    this.#undecided += piece;
    const head = this.#undecided.slice(0, maxHeader + 1);
    const found = (this.#options.header ?? plainHeader).exec(head);
    if (found === null) return undefined;
    this.#name = this.#options.name ?? found.groups?.["name"];
    this.#id = found.groups?.["id"];
    const rest = this.#undecided.slice(found[0].length);
    this.#beginValue();
    return rest;
  }

  #withoutHeader(isEnd: boolean): Extent {
    const wrong = this.#options.wrongHeader ?? (this.#options.header ? undefined : noValue);
    const isWrong = wrong?.test(this.#undecided) === true;
    return { kind: isEnd || isWrong || this.#undecided.length > maxHeader ? "none" : "open" };
  }

  #beginValue(): void {
    this.#phase = "value";
    this.#undecided = "";
    this.#pieces = [];
    this.#extent = new JsonExtent();
  }

  /** What follows the value; undefined while it goes on. */
  #readValue(piece: string): string | undefined {
    const end = this.#extent.end(piece);
    this.#pieces.push(end === undefined ? piece : piece.slice(0, end));
    if (end === undefined) return undefined;
    this.#values.push(this.#pieces.join(""));
    this.#phase = "closers";
    return piece.slice(end);
  }

  #whatFollows(
    isEnd: boolean,
  ): "open" | { readonly kind: "value" | "rest"; readonly text: string } {
    const text = this.#undecided;
    let end = 0;
    for (const closer of this.#options.closers ?? []) {
      const at = skipSpace(text, end);
      if (text.startsWith(closer, at)) end = at + closer.length;
      else if (!isEnd && closer.startsWith(text.slice(at))) return "open";
    }
    const rest = { kind: "rest", text: text.slice(end) } as const;
    if (end > 0 || this.#name !== undefined) return rest;
    const at = skipSpace(text, end, ";");
    if (at === text.length) return isEnd ? rest : "open";
    return text[at] === "{" ? { kind: "value", text: text.slice(at) } : rest;
  }

  #calls(): readonly WrittenCall[] | undefined {
    const name = this.#name;
    const [value] = this.#values;
    if (value === undefined) return undefined;
    const calls =
      name === undefined
        ? joined(this.#values.map((written) => namedCalls(written, this.#tools)))
        : joined([callOf(name, value, this.#id)]);
    const isBare = this.#options.isBare === true;
    if (isBare && !calls?.every((call) => this.#tools.some((tool) => tool.name === call.name))) {
      return undefined;
    }
    return calls;
  }
}

/** The answer ends within the value. */
const brokenOff: Extent = { kind: "whole", calls: undefined, rest: "" };

function skipSpace(text: string, from: number, also = ""): number {
  let at = from;
  while (at < text.length && (/\s/.test(text[at] ?? "") || text[at] === also)) at++;
  return at;
}

function joined(
  lists: readonly (readonly WrittenCall[] | undefined)[],
): readonly WrittenCall[] | undefined {
  const calls: WrittenCall[] = [];
  for (const list of lists) {
    if (list === undefined) return undefined;
    calls.push(...list);
  }
  return calls.length === 0 ? undefined : calls;
}

/**
 * The calls of a value that names its tool: an object, a list of them, or { tool_calls: [...] }. Names of the two
 * fields differ between models; a function may lie one level deeper, as OpenAI has it.
 */
export function namedCalls(
  written: string,
  tools: readonly Tool[],
): readonly WrittenCall[] | undefined {
  const valid = validJson(written);
  if (valid === undefined) return undefined;
  if (valid.startsWith("[")) return joined(itemsOf(valid).map((item) => namedCalls(item, tools)));
  if (!valid.startsWith("{")) return undefined;
  const members = membersOf(valid);
  const list = members.get("tool_calls");
  if (list?.startsWith("[")) return namedCalls(list, tools);
  const inner = members.get("function");
  const isNested = inner?.startsWith("{") === true;
  const fields = isNested ? membersOf(inner) : members;
  const name = textOf(
    fields.get("name") ?? fields.get("tool_name") ?? (isNested ? undefined : inner),
  );
  if (name === undefined) return keyedCall(members, tools);
  const value = fields.get("arguments") ?? fields.get("parameters") ?? "{}";
  return callOf(name, value, textOf(members.get("id")));
}

/** { NAME: arguments }, as Apertus has it: only for a tool that was declared. */
function keyedCall(
  members: ReadonlyMap<string, string>,
  tools: readonly Tool[],
): readonly WrittenCall[] | undefined {
  const [entry, ...others] = members;
  if (entry === undefined || others.length > 0) return undefined;
  const [name, value] = entry;
  return tools.some((tool) => tool.name === name) ? callOf(name, value) : undefined;
}

/** `value`: an object, the text of one in a string, or null for none. */
export function callOf(
  name: string,
  value: string,
  id?: string,
): readonly WrittenCall[] | undefined {
  const valid = validJson(value);
  if (valid === undefined) return undefined;
  if (valid === "null") return callOf(name, "{}", id);
  if (valid.startsWith('"')) {
    const text = textOf(valid) ?? "";
    return text.trim().startsWith("{") ? callOf(name, text, id) : undefined;
  }
  if (!valid.startsWith("{")) return undefined;
  return [{ name, arguments: valid, ...(id !== undefined && { id }) }];
}

/** The text, if it is JSON; control characters that a model left unescaped in its strings are escaped. */
function validJson(written: string): string | undefined {
  const text = written.trim();
  for (const tried of [text, escapeControls(text)]) {
    try {
      JSON.parse(tried);
      return tried;
    } catch {
      // The second try, or none.
    }
  }
  return undefined;
}

function escapeControls(text: string): string {
  return text.replaceAll(/"[^"\\]*(?:\\.[^"\\]*)*"/gs, (string) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    string.replaceAll(/[\0-\x1f]/g, (control) => JSON.stringify(control).slice(1, -1)),
  );
}

function textOf(written: string | undefined): string | undefined {
  if (written === undefined) return undefined;
  const value: unknown = JSON.parse(written);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** JSON text of an object, from values that are JSON text. */
export function objectText(members: Iterable<readonly [string, string]>): string {
  const written = Array.from(members, ([key, value]) => `${JSON.stringify(key)}: ${value}`);
  return `{${written.join(", ")}}`;
}

/** What a model wrote as plain text for one argument, as JSON: by its schema, or by its look where that says nothing. */
export function plainArgument(
  written: string,
  schema: Readonly<Record<string, unknown>> | undefined,
): string {
  if (meansText(schema, written)) return JSON.stringify(written);
  try {
    // Quotes are part of a text unless the schema asks for what is no text.
    const isText = typeof JSON.parse(written) === "string";
    return isText && schema === undefined ? JSON.stringify(written) : written.trim();
  } catch {
    return pythonConstants.get(written.trim()) ?? JSON.stringify(written);
  }
}

function meansText(
  schema: Readonly<Record<string, unknown>> | undefined,
  written: string,
): boolean {
  if (schema === undefined) return false;
  const { type, enum: choices } = schema;
  if (type === undefined) {
    return Array.isArray(choices) && choices.every((choice) => typeof choice === "string");
  }
  const types: readonly unknown[] = Array.isArray(type) ? type : [type];
  const isNull = types.includes("null") && written.trim() === "null";
  return !isNull && types.every((each) => each === "string" || each === "null");
}

/** Models that learnt from Python write these. */
const pythonConstants: ReadonlyMap<string, string> = new Map([
  ["True", "true"],
  ["False", "false"],
  ["None", "null"],
]);
