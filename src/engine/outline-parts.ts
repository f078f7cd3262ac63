/** Parts of outlines: calls of tools as a family writes them. */
import type { Outline } from "../forms/outline.ts";
import type { CallGrammar, Dialect, TagGrammar } from "../text/replies/call-grammar.ts";
import type { Tool } from "../text/replies/tool.ts";

export function textOf(text: string): Outline {
  return { kind: "text", text };
}

export function sequenceOf(...parts: readonly Outline[]): Outline {
  return { kind: "sequence", parts };
}

/** `keeping`: "strict" where a schema that cannot be kept is an error, whatever the tool says. */
export function argumentsOf(
  tool: Tool,
  dialect: Dialect | undefined,
  keeping: "strict" | "as told" = "as told",
): Outline {
  const { parameters, strict = false } = tool;
  const written = (schema: unknown): ArgumentsForm =>
    dialect === undefined ? { kind: "schema", schema } : { kind: "dialect", schema, dialect };
  const anything = dialect?.kind === "python" ? anyKeywords : written({ type: "object" });
  const isKept = keeping === "strict" || strict;
  if (parameters === undefined) {
    const none = { type: "object", properties: {}, additionalProperties: false };
    return { kind: "form", form: isKept ? written(none) : anything };
  }
  const form = written({ type: "object", ...parameters });
  return isKept ? { kind: "form", form } : { kind: "form", form, orElse: anything };
}

type ArgumentsForm = Extract<Outline, { kind: "form" }>["form"];

/** Python's arguments with any names: texts, numbers and words, in lists and dictionaries of which no text tells. */
const anyKeywords: ArgumentsForm = {
  kind: "grammar",
  grammar: String.raw`
root ::= (member (", "? member)*)?
member ::= [A-Za-z_] [A-Za-z0-9_]* "=" value
value ::= "[" (value (", "? value)*)? "]" | "{" (text ": "? value (", "? text ": "? value)*)? "}" | text | number | "True" | "False" | "None"
text ::= """ ([^"\
] | "\" [nrtbf"'\])* """ | "'" ([^'\
] | "\" [nrtbf"'\])* "'"
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?
`,
};

/** As `argumentsOf`, between tags. */
function taggedArguments(
  { parameters = {}, strict = false }: Tool,
  tags: TagGrammar,
  keeping: "strict" | "as told",
): Outline {
  const schema = { type: "object", ...parameters };
  const form = { kind: "tagged", schema, tags } as const;
  const isKept = keeping === "strict" || strict;
  // Without a schema nothing says which arguments there are: any text between the tags.
  if (isKept) return { kind: "form", form };
  const anything = anyArguments(tags);
  return Object.keys(parameters).length === 0
    ? { kind: "form", form: anything }
    : { kind: "form", form, orElse: anything };
}

/** Any names and texts between tags, in a pattern. */
function anyArguments(tags: TagGrammar): { readonly kind: "regex"; readonly regex: string } {
  const { beforeKey, afterKey, afterValue } = tags;
  const exactly = (text: string): string => text.replaceAll(/[$()*+./?[\\\]^{|}-]/g, "\\$&");
  const value = "(?:[^<]|<[^/])*";
  return {
    kind: "regex",
    regex: `(?:${exactly(beforeKey)}[\\w.-]+${exactly(afterKey)}${value}${exactly(afterValue)})*`,
  };
}

/** What follows the mark of calls whose arguments are tags. */
export function taggedCallsBehind(tags: TagGrammar, tools: readonly Tool[]): Outline {
  const one = oneTaggedCall(tags, tools);
  // One call of function tags and of GLM's stands between a pair of marks.
  const isOne = tags.hasOwnLines || tags.before === "";
  const more: Outline = { kind: "any-number", body: one };
  return sequenceOf(one, ...(isOne ? [] : [more]), loose(tags.close));
}

/** A call behind the mark, without what ends it. `keeping`: as for `argumentsOf`. */
export function oneTaggedCall(
  tags: TagGrammar,
  tools: readonly Tool[],
  keeping: "strict" | "as told" = "as told",
): Outline {
  return sequenceOf(loose(tags.before), {
    kind: "choice",
    options: tools.map((tool) =>
      sequenceOf(
        textOf(tool.name),
        loose(tags.between),
        taggedArguments(tool, tags, keeping),
        loose(tags.after),
      ),
    ),
  });
}

/** What follows a mark that begins a call, or a list of them. */
export function callsBehind(mark: string, grammar: CallGrammar, tools: readonly Tool[]): Outline {
  const { open, before, separator = "", close } = grammar;
  const one = oneCall(grammar, tools);
  // Calls without marks around all of them begin anew.
  if (open === "") return sequenceOf(loose(before.slice(mark.length)), one);
  const gap = grammar.isSpaced === true ? [anySpace] : [];
  const head = [loose(open.slice(mark.length)), ...gap, ...start(before)];
  const next = sequenceOf(loose(`\n${separator}`), ...gap, ...start(before), one);
  const more: Outline = { kind: "any-number", body: next };
  const calls = sequenceOf(one, more);
  const printed = sequenceOf(textOf("print("), one, textOf(")"));
  const options = grammar.isPrinted === true ? [calls, printed] : [calls];
  return sequenceOf(...head, { kind: "choice", options }, ...gap, loose(close));
}

const anySpace: Outline = { kind: "form", form: { kind: "regex", regex: "[ \\n]{0,12}" } };

/** In front of a call's name: some models number their calls. */
function start(before: string): readonly Outline[] {
  const [front, behind] = before.split('"0"');
  if (front === undefined || behind === undefined) return [loose(before)];
  const number: Outline = { kind: "form", form: { kind: "regex", regex: '"[0-9]{1,3}"' } };
  return [loose(front), number, loose(behind)];
}

/** A call, from its first character on. */
export function everyCall(grammar: CallGrammar, tools: readonly Tool[], prompt: string): Outline {
  const { open, before, after, close } = grammar;
  const begun = open + before;
  const start = textOf(prompt.endsWith(begun) ? "" : begun);
  const [end = ""] = (after + close).split(/[<[]/, 1);
  const calls = tools.map((tool) =>
    sequenceOf(named(tool, grammar), argumentsOf(tool, grammar.dialect), textOf(end.trimEnd())),
  );
  return sequenceOf(start, { kind: "choice", options: calls });
}

function oneCall(grammar: CallGrammar, tools: readonly Tool[]): Outline {
  const options = tools.map((tool) =>
    sequenceOf(
      named(tool, grammar),
      argumentsOf(tool, grammar.dialect),
      idBehind(grammar),
      loose(grammar.after),
    ),
  );
  return { kind: "choice", options };
}

/** Calls in a list may have an id behind their arguments. */
function idBehind({ open, after }: CallGrammar): Outline {
  if (!open.endsWith("[") || !after.startsWith("}")) return sequenceOf();
  const id: Outline = {
    kind: "form",
    form: { kind: "regex", regex: '(?:, ?"id": ?"[\\w-]{1,64}")?' },
  };
  return id;
}

function named({ name }: Tool, { between }: CallGrammar): Outline {
  // Kimi's calls are numbered.
  if (between === "[ARGS]") return sequenceOf(textOf(name), callId, textOf(between));
  if (!between.startsWith(":0")) return sequenceOf(textOf(name), loose(between));
  const place: Outline = { kind: "form", form: { kind: "regex", regex: ":[0-9]{1,3}" } };
  return sequenceOf(textOf(name), place, loose(between.slice(2)));
}

/** Mistral's models of one generation give each call an id of its own. */
const callId: Outline = {
  kind: "choice",
  options: [
    sequenceOf(),
    sequenceOf(textOf("[CALL_ID]"), {
      kind: "form",
      form: { kind: "regex", regex: "[A-Za-z0-9]{9}" },
    }),
  ],
};

function loose(text: string): Outline {
  return { kind: "loose", text };
}
