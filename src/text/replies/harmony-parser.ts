/**
 * Reads answers in gpt-oss's Harmony form: messages, each with a header that says its channel and, for a call, to whom
 * it goes: <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>commentary to=functions.f
 * <|constrain|>json<|message|>{…}<|call|>. Source: the "OpenAI harmony response format" guide.
 */
import type { CallGrammar } from "./call-grammar.ts";
import type { WrittenCall } from "./call-syntax.ts";
import { EventLog } from "./event-log.ts";
import { countPartialMark, findFirst } from "./find-marks.ts";
import { HeldText } from "./held-text.ts";
import { callOf } from "./json-call.ts";
import type { ReplyEvent, ReplyParser } from "./reply.ts";

export const harmonyGrammar: CallGrammar = {
  open: "",
  before: "<|channel|>commentary to=functions.",
  between: " <|constrain|>json<|message|>",
  after: "<|call|>",
  separator: undefined,
  close: "",
};

const endOfHeader = "<|message|>";
/** What ends a message; a new one may also begin where its end is missing. */
const ends: readonly string[] = ["<|end|>", "<|call|>", "<|return|>", "<|start|>", "<|channel|>"];
/** What a header can begin with, white space apart. */
const beginnings: readonly string[] = ["<|start|>", "<|channel|>", endOfHeader, "to=", "assistant"];
/** Longer than a header of the longest name. */
const maxHeader = 512;

type Part =
  | { readonly kind: "header" }
  | { readonly kind: "shown"; readonly as: "content" | "reasoning" }
  | { readonly kind: "call"; readonly name: string; readonly header: string };

export interface HarmonyOptions {
  /** Whether calls are asked for. */
  readonly takesCalls: boolean;
  /** What the prompt already says of the first message's header; "" for nothing. */
  readonly header: string;
  readonly idOf: (index: number) => string;
}

export class HarmonyParser implements ReplyParser {
  readonly #takesCalls: boolean;
  readonly #log: EventLog;
  readonly #texts = { content: new HeldText(), reasoning: new HeldText() };
  #rest = "";
  #part: Part = { kind: "header" };
  /** Whether the message so far is only what the prompt says. */
  #isPrompt: boolean;

  constructor({ takesCalls, header, idOf }: HarmonyOptions) {
    this.#takesCalls = takesCalls;
    this.#log = new EventLog(idOf);
    this.#isPrompt = header !== "";
    // A message whose text is begun: white space in front of the rest is its own.
    if (header.endsWith(endOfHeader)) this.#part = this.#partOf(header);
    else this.#rest = header;
  }

  push(text: string): readonly ReplyEvent[] {
    this.#rest += text;
    if (text !== "") this.#isPrompt = false;
    this.#advance(false);
    return this.#log.take();
  }

  end(): readonly ReplyEvent[] {
    if (!this.#isPrompt) this.#advance(true);
    return this.#log.take();
  }

  #advance(isEnd: boolean): void {
    while (this.#step(isEnd)) {
      // Each step decides something.
    }
  }

  #step(isEnd: boolean): boolean {
    const part = this.#part;
    switch (part.kind) {
      case "header":
        return this.#readHeader(isEnd);
      case "shown":
        return this.#readShown(part.as, isEnd);
      case "call":
        return this.#readCall(part, isEnd);
      default:
        return part satisfies never;
    }
  }

  #readHeader(isEnd: boolean): boolean {
    const start = this.#rest.trimStart();
    if (start === "") return false;
    const isHeader = beginnings.some(
      (mark) => start.startsWith(mark) || (!isEnd && mark.startsWith(start)),
    );
    const at = this.#rest.indexOf(endOfHeader);
    const isLost = at < 0 && (isEnd || this.#rest.length > maxHeader);
    if (!isHeader || isLost || at > maxHeader) {
      this.#begin({ kind: "shown", as: "content" });
      // A mark in front would end the text again.
      const mark = ends.find((end) => start.startsWith(end)) ?? "";
      const length = this.#rest.length - start.length + mark.length;
      this.#log.add("content", this.#texts.content.push(this.#take(length)));
      return true;
    }
    if (at < 0) return false;
    this.#begin(this.#partOf(this.#take(at)));
    this.#take(endOfHeader.length);
    return true;
  }

  #partOf(header: string): Part {
    const [, recipient] = /\bto=([\w.:-]+)/.exec(header) ?? [];
    const [, channel] = /<\|channel\|>\s*(\w+)/.exec(header) ?? [];
    if (recipient !== undefined && recipient !== "user" && this.#takesCalls) {
      return { kind: "call", name: recipient.replace(/^functions\./, ""), header };
    }
    return { kind: "shown", as: channel === "analysis" ? "reasoning" : "content" };
  }

  #readShown(as: "content" | "reasoning", isEnd: boolean): boolean {
    const found = findFirst(this.#rest, ends);
    const held = found !== undefined || isEnd ? 0 : countPartialMark(this.#rest, ends);
    const text = this.#take(found?.at ?? this.#rest.length - held);
    this.#log.add(as, this.#texts[as].push(text));
    if (found !== undefined) return this.#endMessage(found.mark);
    if (isEnd && text === "" && as === "content") this.#log.add(as, this.#texts[as].end());
    return isEnd && text !== "";
  }

  #readCall({ name, header }: Extract<Part, { kind: "call" }>, isEnd: boolean): boolean {
    const found = findFirst(this.#rest, ends);
    if (found === undefined && !isEnd) return false;
    const body = this.#take(found?.at ?? this.#rest.length);
    const calls = callOf(name, body.trim() === "" ? "{}" : body) ?? textCallOf(name, body);
    if (calls !== undefined) {
      this.#log.addCalls(calls);
    } else {
      this.#log.add("content", this.#texts.content.push(header + endOfHeader + body));
      this.#log.addNotice(
        `the model wrote a call of ${name} that cannot be read: it is left in the text`,
      );
    }
    if (found !== undefined) return this.#endMessage(found.mark);
    this.#part = { kind: "header" };
    return false;
  }

  #endMessage(mark: string): boolean {
    this.#part = { kind: "header" };
    // A message whose end is missing: the mark begins the next header.
    if (mark !== "<|start|>" && mark !== "<|channel|>") this.#take(mark.length);
    return true;
  }

  #begin(part: Part): void {
    this.#part = part;
    if (part.kind === "shown") this.#texts[part.as].drop("\n");
  }

  #take(length: number): string {
    const text = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    return text;
  }
}

/** Python code, which gpt-oss sends as it is. */
function textCallOf(name: string, body: string): readonly WrittenCall[] | undefined {
  if (name !== "python") return undefined;
  return [{ name, arguments: `{"code": ${JSON.stringify(body)}}` }];
}
