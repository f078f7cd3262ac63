/** The form in which a model writes its answers, by its chat template, and the parser for it. */
import { type CallGrammar, genericGrammar, type TagGrammar } from "./call-grammar.ts";
import type { CallSyntax } from "./call-syntax.ts";
import { type Family, type FamilyName, families, reasoningMarks } from "./families.ts";
import { bareCalls, hermesCall } from "./family-calls.ts";
import { HarmonyParser, harmonyGrammar } from "./harmony-parser.ts";
import { MarkedParser, type ReasoningMarks } from "./marked-parser.ts";
import { collectReply, type Reply, type ReplyParser } from "./reply.ts";
import type { Tool } from "./tool.ts";

export type ReplyForm =
  | { readonly kind: "harmony"; readonly grammar: CallGrammar }
  | {
      readonly kind: "marked";
      /** By the marks in the template; undefined where it has none that are known. */
      readonly family: FamilyName | undefined;
      readonly reasoning: readonly ReasoningMarks[];
      readonly calls: (tools: readonly Tool[]) => readonly CallSyntax[];
      readonly silent: readonly string[];
      readonly begun: string;
      /** How a call is written; undefined where its arguments are no JSON. */
      readonly grammar: CallGrammar | undefined;
      /** How the model itself writes one, where that is not `grammar`. */
      readonly own: CallGrammar | undefined;
      /** How it is, where its arguments are tags. */
      readonly tags: TagGrammar | undefined;
    };

/**
 * `knowsTools`: whether the template says anything of tools that it is given; asked for where there are some. If not, the
 * model is told of them in words (generic-tools.ts) and answers with JSON.
 */
export function findReplyForm(source: string, knowsTools: () => boolean): ReplyForm {
  if (source.includes("<|channel|>")) return { kind: "harmony", grammar: harmonyGrammar };
  const reasoning = reasoningMarks.filter(
    ({ open, close }) => source.includes(open.trim()) || source.includes(close),
  );
  const family = families.find(({ known }) => known.every((word) => source.includes(word)));
  return {
    kind: "marked",
    family: family?.name,
    reasoning,
    calls: (tools) => callsOf(family, knowsTools(), tools),
    silent: family?.silent ?? [],
    begun: family?.begun ?? "",
    grammar: family === undefined ? genericGrammar : family.grammar,
    own: family?.own,
    tags: family?.tags,
  };
}

function callsOf(
  family: Family | undefined,
  knowsTools: boolean,
  tools: readonly Tool[],
): readonly CallSyntax[] {
  const own = family?.calls(tools) ?? [];
  if (knowsTools && own.length > 0) return own;
  return [...(own.length > 0 ? own : [hermesCall]), ...bareCalls];
}

export interface ReplyOptions {
  /** The tools that the model was told of. Default: none, and no text is a call. */
  readonly tools?: readonly Tool[];
  /** The prompt, whose end may have opened the model's thoughts. */
  readonly prompt: string;
  /** What the answer goes on from: text at the end of the prompt. Default "". */
  readonly continued?: string | undefined;
  /** The id of a call to which the model gave none. */
  readonly idOf: (index: number) => string;
}

export function createReplyParser(form: ReplyForm, options: ReplyOptions): ReplyParser {
  const { tools = [], prompt, continued = "", idOf } = options;
  if (form.kind === "harmony") {
    const header = headerAtEnd(prompt);
    return new HarmonyParser({ takesCalls: tools.length > 0, header, idOf });
  }
  const { reasoning, silent } = form;
  const { opened } = openedThoughts(form, upToThoughts(prompt, continued, form));
  return new MarkedParser(
    { reasoning, silent, calls: tools.length > 0 ? form.calls(tools) : [] },
    {
      tools,
      opened,
      goesOn: continued.trim() !== "" && opened === undefined,
      begun: form.begun !== "" && prompt.endsWith(form.begun) ? form.begun : "",
      idOf,
    },
  );
}

/** Without what the text that is continued says behind the thoughts that it has begun and not ended. */
function upToThoughts(
  prompt: string,
  continued: string,
  { reasoning }: Extract<ReplyForm, { kind: "marked" }>,
): string {
  const from = prompt.length - continued.length;
  for (const { open, close } of reasoning) {
    const at = prompt.lastIndexOf(open.trim());
    if (at >= from && at > prompt.lastIndexOf(close.trim())) {
      return prompt.slice(0, at + open.trim().length);
    }
  }
  return prompt;
}

/** Which thoughts the end of a prompt has opened, and whether it has closed them again. */
export function openedThoughts(
  { reasoning }: Extract<ReplyForm, { kind: "marked" }>,
  prompt: string,
): { readonly opened: ReasoningMarks | undefined; readonly isClosed: boolean } {
  const end = prompt.slice(-longestMark).trimEnd();
  return {
    opened: reasoning.find(({ open }) => end.endsWith(open.trim())),
    isClosed: reasoning.some(({ close }) => end.endsWith(close.trim())),
  };
}

/** All of an answer at once. */
export function parseReply(text: string, form: ReplyForm, options: ReplyOptions): Reply {
  const parser = createReplyParser(form, options);
  return collectReply([...parser.push(text), ...parser.end()]);
}

/** Characters at the end of a prompt that may hold a mark and white space behind it. */
const longestMark = 256;

/** What a Harmony prompt says behind "<|start|>assistant", without the text of a message that is continued. */
function headerAtEnd(prompt: string): string {
  const start = "<|start|>assistant";
  const at = prompt.lastIndexOf(start);
  const header = at < 0 ? "" : prompt.slice(at + start.length);
  if (header.includes("<|end|>")) return "";
  const end = header.indexOf("<|message|>");
  return end < 0 ? header : header.slice(0, end + "<|message|>".length);
}
