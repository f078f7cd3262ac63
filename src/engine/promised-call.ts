/** An answer that must call a tool: what is put behind the prompt, and the form of what the model writes then. */
import { OptionError, UnsupportedError } from "../core/errors.ts";
import type { FormSource } from "../forms/form.ts";
import type { CallGrammar } from "../text/replies/call-grammar.ts";
import type { Tool } from "../text/replies/tool.ts";

/** Which tools an answer calls: what the model likes, none, one of them, or this one. */
export type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

export interface PromisedCall {
  /** The beginning of the call, which the model need not write: its mark is one token for it. */
  readonly begun: string;
  readonly source: FormSource;
}

interface CallSetting {
  readonly tools: readonly Tool[];
  readonly grammar: CallGrammar | undefined;
  readonly prompt: string;
}

/**
 * Undefined where the model may choose. The answer ends behind the arguments of one call.
 * @throws OptionError for a tool that is not there, UnsupportedError for a model whose calls are no JSON
 */
export function promisedCall(
  choice: ToolChoice,
  { tools, grammar, prompt }: CallSetting,
): PromisedCall | undefined {
  if (choice === "auto" || choice === "none") return undefined;
  const chosen = choice === "required" ? tools : tools.filter(({ name }) => name === choice.name);
  if (chosen.length === 0) {
    const found = choice === "required" ? '"required" without tools' : JSON.stringify(choice.name);
    throw new OptionError("toolChoice", found, "a tool that was given");
  }
  if (grammar === undefined) {
    const what = "a promised call of this model, whose arguments are no JSON,";
    throw new UnsupportedError(what, ["toolChoice auto", "none"]);
  }
  const { open, before, between, after, close } = grammar;
  // Marks behind the arguments say nothing more: the answer ends there.
  const [end = ""] = (after + close).split(/[<[]/, 1);
  const sequences = chosen.map(({ name, parameters = noParameters }) => [
    name + between,
    { type: "object", ...parameters },
    end.trimEnd(),
  ]);
  const begun = open + before;
  // Functionary's prompts end with the mark.
  return { begun: prompt.endsWith(begun) ? "" : begun, source: { kind: "joined", sequences } };
}

const noParameters = { properties: {}, additionalProperties: false };
