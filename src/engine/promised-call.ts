/**
 * What an answer in a conversation is bound to: a form, calls of tools, thoughts before either. Thoughts and content are
 * free; a call is one of a declared tool from its mark on.
 */
import { OptionError, UnsupportedError } from "../core/errors.ts";
import type { FormSource } from "../forms/form.ts";
import type { Outline } from "../forms/outline.ts";
import { type CallGrammar, markOf } from "../text/replies/call-grammar.ts";
import type { ReplyForm } from "../text/replies/reply-form.ts";
import type { Tool } from "../text/replies/tool.ts";
import { harmonyCalls, harmonyForm } from "./harmony-outline.ts";
import {
  argumentsOf,
  callsBehind,
  everyCall,
  oneTaggedCall,
  sequenceOf,
  taggedCallsBehind,
  textOf,
} from "./outline-parts.ts";
import { thoughtsBefore } from "./thoughts.ts";

/** Which tools an answer calls: what the model likes, none, one of them, or this one. */
export type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

export interface AnswerPlan {
  /** The beginning of the answer that the model need not write: a call's mark is one token for it. */
  readonly begun: string;
  /** Undefined where the answer is bound to nothing. */
  readonly source: FormSource | undefined;
  /** Whether the whole answer is a value of the form that was asked for. */
  readonly isPlain: boolean;
}

interface AnswerSetting {
  readonly tools: readonly Tool[];
  readonly form: ReplyForm;
  readonly prompt: string;
  /** What the answer goes on from; undefined where it begins. */
  readonly continued?: string | undefined;
  /** What was asked for beside tools. */
  readonly asked: Exclude<FormSource, { readonly kind: "outline" }> | undefined;
}

/**
 * @throws OptionError for a tool that is not there and a form beside a call that must come, UnsupportedError for a model
 * whose calls cannot be promised
 */
export function planAnswer(choice: ToolChoice, setting: AnswerSetting): AnswerPlan {
  const { tools, asked, continued } = setting;
  const isPromised = asked !== undefined || (choice !== "auto" && choice !== "none");
  if (continued !== undefined && isPromised) {
    const bound = asked?.kind ?? "a call that must come";
    const message = `an answer that is begun by the assistant's last message cannot be bound to ${bound}; end with another message`;
    throw new OptionError("continueLast", bound, "nothing that binds the answer", message);
  }
  if (choice !== "auto" && choice !== "none") return promisedCall(choice, setting);
  if (asked !== undefined) return promisedForm(asked, setting);
  const outline = tools.length > 0 ? callsInText(setting) : undefined;
  const source = outline && ({ kind: "outline", outline } as const);
  return { begun: "", source, isPlain: false };
}

function promisedCall(
  choice: "required" | { readonly name: string },
  { tools, form, prompt, asked }: AnswerSetting,
): AnswerPlan {
  const grammar = grammarOf(form);
  const tags = form.kind === "marked" ? form.tags : undefined;
  const chosen = choice === "required" ? tools : tools.filter(({ name }) => name === choice.name);
  if (chosen.length === 0) {
    const found = choice === "required" ? '"required" without tools' : JSON.stringify(choice.name);
    throw new OptionError("toolChoice", found, "a tool that was given");
  }
  if (asked !== undefined) {
    throw new OptionError(asked.kind, "beside a call that must come", "toolChoice auto beside it");
  }
  const thoughts = thoughtsBefore(form, prompt);
  if (tags !== undefined) {
    const call = oneTaggedCall(tags, chosen, "strict");
    const mark = textOf(tags.mark);
    const outline = thoughts.isOpen ? sequenceOf(thoughts.outline, mark, call) : call;
    return {
      begun: thoughts.isOpen ? "" : tags.mark,
      source: { kind: "outline", outline },
      isPlain: false,
    };
  }
  if (grammar === undefined) throw noPromisedCalls();
  const { open, before, between, after, close } = grammar;
  // Marks behind the arguments say nothing more: the answer ends there.
  const [end = ""] = (after + close).split(/[<[]/, 1);
  const call: Outline = {
    kind: "choice",
    options: chosen.map((tool) =>
      sequenceOf(
        textOf(tool.name + between),
        argumentsOf(tool, grammar.dialect, "strict"),
        textOf(end.trimEnd()),
      ),
    ),
  };
  if (thoughts.isOpen) {
    const outline = sequenceOf(thoughts.outline, textOf(open + before), call);
    return { begun: "", source: { kind: "outline", outline }, isPlain: false };
  }
  const begun = open + before;
  // Functionary's prompts end with the mark.
  const isBegun = prompt.endsWith(begun);
  return {
    begun: isBegun ? "" : begun,
    source: { kind: "outline", outline: call },
    isPlain: false,
  };
}

function promisedForm(
  asked: Exclude<FormSource, { readonly kind: "outline" }>,
  { tools, form, prompt }: AnswerSetting,
): AnswerPlan {
  const value: Outline = { kind: "form", form: asked };
  if (form.kind === "harmony") {
    const outline = harmonyForm(value, { tools, prompt });
    return { begun: "", source: { kind: "outline", outline }, isPlain: false };
  }
  const { isPossible, outline: thoughts } = thoughtsBefore(form, prompt);
  if (!isPossible && tools.length === 0) return { begun: "", source: asked, isPlain: true };
  const options: Outline[] = [value];
  if (tools.length > 0) {
    options.push(callInstead(form, tools, prompt));
  }
  const outline = sequenceOf(thoughts, { kind: "choice", options });
  return { begun: "", source: { kind: "outline", outline }, isPlain: false };
}

/** As the model itself writes calls; undefined for tags, and where it is not known. */
function grammarOf(form: ReplyForm): CallGrammar | undefined {
  return form.kind === "marked" ? (form.own ?? form.grammar) : form.grammar;
}

/** A call in place of a value. */
function callInstead(
  form: Extract<ReplyForm, { kind: "marked" }>,
  tools: readonly Tool[],
  prompt: string,
): Outline {
  const { tags } = form;
  const grammar = grammarOf(form);
  if (tags !== undefined) {
    return sequenceOf(textOf(tags.mark), oneTaggedCall(tags, tools));
  }
  if (grammar === undefined) throw noPromisedCalls();
  return everyCall(grammar, tools, prompt);
}

/** Free text in which calls are calls; undefined for a model whose calls are not known so well. */
function callsInText({ tools, form, prompt, continued }: AnswerSetting): Outline | undefined {
  const grammar = grammarOf(form);
  if (form.kind === "harmony") return harmonyCalls(tools);
  if (form.tags !== undefined) {
    const { mark } = form.tags;
    return { kind: "free", openings: [{ mark, body: taggedCallsBehind(form.tags, tools) }] };
  }
  if (grammar === undefined) {
    if (tools.some(({ strict }) => strict === true)) throw noPromisedCalls();
    return undefined;
  }
  const mark = markOf(grammar);
  // LFM2 writes Python, and JSON where it is asked for that.
  const others = [form.own && form.grammar].filter((each) => each !== undefined);
  const options = [grammar, ...others].map((each) => callsBehind(mark, each, tools));
  const body: Outline = { kind: "choice", options };
  const openings = namesStand(grammar)
    ? tools.flatMap((tool) => openingsByName(tool, { tools, grammar, mark, prompt }))
    : [{ mark, body }];
  // In the middle of a text none begins that stands at an answer's beginning.
  const isMiddle = continued !== undefined && continued.trim() !== "";
  return { kind: "free", openings: openings.filter(({ isFirst }) => !(isFirst && isMiddle)) };
}

/** Whether a call is known by its name alone: what stands in front of it may begin anything. */
function namesStand({ open, before }: CallGrammar): boolean {
  return markOf({ open, before }) === "" || (open + before).trim() === ">>>";
}

type Openings = Extract<Outline, { kind: "free" }>["openings"];

function openingsByName(
  tool: Tool,
  {
    tools,
    grammar,
    mark,
    prompt,
  }: {
    readonly tools: readonly Tool[];
    readonly grammar: CallGrammar;
    readonly mark: string;
    readonly prompt: string;
  },
): Openings {
  const { open, before, between, after, close } = grammar;
  const value = argumentsOf(tool, grammar.dialect);
  const whole = open + before + tool.name + between;
  if (mark === "") {
    // Llama writes several in a row, with semicolons between them.
    const next = tools.map((each) =>
      sequenceOf(
        textOf(each.name + between),
        argumentsOf(each, grammar.dialect),
        textOf(after + close),
      ),
    );
    const more: Outline = {
      kind: "any-number",
      body: sequenceOf(textOf(`; ${open}${before}`), { kind: "choice", options: next }),
    };
    const isOne = open !== "";
    const body = sequenceOf(value, textOf(after + close), ...(isOne ? [] : [more]));
    return [{ mark: whole, isFirst: true, body, isLast: true }];
  }
  const isBegun = prompt.endsWith(open + before);
  return [
    { mark: whole, body: value },
    ...(isBegun ? [{ mark: tool.name + between, isFirst: true, body: value }] : []),
  ];
}

function noPromisedCalls(): UnsupportedError {
  const what = "a promised call of this model, whose form is not known,";
  return new UnsupportedError(what, ["toolChoice auto without strict", "none"]);
}
