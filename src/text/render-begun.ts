/**
 * A conversation whose last message is the beginning of the answer: the template renders it as any other, and what comes
 * behind its text, which ends the turn, is cut off.
 */
import { OptionError, UnsupportedError } from "../core/errors.ts";
import { type ChatMessage, contentText } from "./chat-message.ts";
import type { ChatTemplate, ChatTemplateOptions } from "./chat-template.ts";

/** Behind the text of the message while it is rendered: of characters that no conversation has (private use). */
const mark = "\u{f8d0}\u{f8d1}begun\u{f8d1}\u{f8d0}";

/** @throws OptionError for a last message that cannot be gone on with, UnsupportedError where the template leaves its text out */
export function renderBegun(
  messages: readonly ChatMessage[],
  render: ChatTemplate["render"],
  options: ChatTemplateOptions,
): string {
  const last = messages.at(-1);
  if (last?.role !== "assistant" || (last.tool_calls ?? []).length > 0) {
    const found =
      last?.role === "assistant" ? "a last message that calls tools" : describeRole(last);
    throw new OptionError("continueLast", found, "a last message of the assistant without calls");
  }
  const begun = { ...last, content: contentText(last) + mark };
  const whole = render([...messages.slice(0, -1), begun], {
    ...options,
    addGenerationPrompt: false,
  });
  const end = whole.lastIndexOf(mark);
  if (end < 0) {
    const what = "an answer that is begun, whose text this model's chat template leaves out,";
    throw new UnsupportedError(what, ["a last message of the user"]);
  }
  return whole.slice(0, end);
}

/** The text of the last message, where a prompt that `renderBegun` made ends with it. */
export function begunText(prompt: string, messages: readonly ChatMessage[]): string {
  const last = messages.at(-1);
  const text = last === undefined ? "" : contentText(last);
  return prompt.endsWith(text) ? text : "";
}

function describeRole(message: ChatMessage | undefined): string {
  return message === undefined ? "no message" : `a last message of role "${message.role}"`;
}
