/** The thoughts that an answer may begin with, as an outline. */
import type { Outline } from "../forms/outline.ts";
import { openedThoughts, type ReplyForm } from "../text/replies/reply-form.ts";
import { sequenceOf, textOf } from "./outline-parts.ts";

export interface Thoughts {
  /** Whether the prompt has begun them. */
  readonly isOpen: boolean;
  readonly isPossible: boolean;
  readonly outline: Outline;
}

const nothing: Outline = sequenceOf();

/** Harmony's are messages of their own: not of its form. */
export function thoughtsBefore(form: ReplyForm, prompt: string): Thoughts {
  if (form.kind === "harmony") return { isOpen: false, isPossible: false, outline: nothing };
  const { opened, isClosed } = openedThoughts(form, prompt);
  if (opened !== undefined) {
    return { isOpen: true, isPossible: true, outline: endedBy(opened.close) };
  }
  if (isClosed || form.reasoning.length === 0) {
    return { isOpen: false, isPossible: false, outline: nothing };
  }
  const own = form.reasoning.map(({ open, close }) =>
    sequenceOf(textOf(open.trimEnd()), endedBy(close)),
  );
  return {
    isOpen: false,
    isPossible: true,
    outline: { kind: "choice", options: [nothing, ...own] },
  };
}

function endedBy(close: string): Outline {
  const gap: Outline = { kind: "choice", options: ["", "\n", "\n\n"].map(textOf) };
  return sequenceOf({ kind: "until", mark: close }, gap);
}
