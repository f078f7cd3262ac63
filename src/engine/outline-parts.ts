/** Parts of outlines: calls of tools as a family writes them. */
import type { Outline } from "../forms/outline.ts";
import type { CallGrammar } from "../text/replies/call-grammar.ts";
import type { Tool } from "../text/replies/tool.ts";

export function textOf(text: string): Outline {
  return { kind: "text", text };
}

export function sequenceOf(...parts: readonly Outline[]): Outline {
  return { kind: "sequence", parts };
}

/** `keeping`: "strict" where a schema that cannot be kept is an error, whatever the tool says. */
export function argumentsOf(tool: Tool, keeping: "strict" | "as told" = "as told"): Outline {
  const { parameters, strict = false } = tool;
  const anything = { kind: "schema", schema: { type: "object" } } as const;
  if (parameters === undefined) {
    const none = { type: "object", properties: {}, additionalProperties: false };
    const isKept = keeping === "strict" || strict;
    return { kind: "form", form: isKept ? { kind: "schema", schema: none } : anything };
  }
  const form = { kind: "schema", schema: { type: "object", ...parameters } } as const;
  const isKept = keeping === "strict" || strict;
  return isKept ? { kind: "form", form } : { kind: "form", form, orElse: anything };
}

/** What follows a mark that begins a call, or a list of them. */
export function callsBehind(mark: string, grammar: CallGrammar, tools: readonly Tool[]): Outline {
  const { open, before, separator = "", close } = grammar;
  const one = oneCall(grammar, tools);
  const head = loose((open + before).slice(mark.length));
  // Calls without marks around all of them begin anew.
  if (open === "") return sequenceOf(head, one);
  const more: Outline = { kind: "any-number", body: sequenceOf(loose(separator + before), one) };
  return sequenceOf(head, one, more, loose(close));
}

/** A call, from its first character on. */
export function everyCall(grammar: CallGrammar, tools: readonly Tool[], prompt: string): Outline {
  const { open, before, after, close } = grammar;
  const begun = open + before;
  const start = textOf(prompt.endsWith(begun) ? "" : begun);
  const [end = ""] = (after + close).split(/[<[]/, 1);
  const calls = tools.map((tool) =>
    sequenceOf(named(tool, grammar), argumentsOf(tool), textOf(end.trimEnd())),
  );
  return sequenceOf(start, { kind: "choice", options: calls });
}

function oneCall(grammar: CallGrammar, tools: readonly Tool[]): Outline {
  const options = tools.map((tool) =>
    sequenceOf(named(tool, grammar), argumentsOf(tool), loose(grammar.after)),
  );
  return { kind: "choice", options };
}

function named({ name }: Tool, { between }: CallGrammar): Outline {
  // Kimi's calls are numbered.
  if (!between.startsWith(":0")) return sequenceOf(textOf(name), loose(between));
  const place: Outline = { kind: "form", form: { kind: "regex", regex: ":[0-9]{1,3}" } };
  return sequenceOf(textOf(name), place, loose(between.slice(2)));
}

function loose(text: string): Outline {
  return { kind: "loose", text };
}
