/** The body of `/v1/chat/completions` for a path of messages. */
import type { Attachment, Conversation, Message } from "./conversation.ts";
import { requestFields } from "./settings.ts";

export interface ChatRequest {
  readonly stream: true;
  readonly stream_options: { readonly include_usage: true };
  readonly timings_per_token: true;
  readonly return_progress: true;
  /** The last message is an answer, which is gone on with. */
  readonly continue_final_message?: true;
  readonly messages: readonly object[];
  readonly model?: string;
}

export function chatRequest(
  { system, settings, model }: Pick<Conversation, "system" | "settings" | "model">,
  path: readonly Message[],
): ChatRequest {
  const last = path.at(-1);
  const begun = last?.role === "assistant" ? last : undefined;
  const said = path.filter((message) => message === begun || saysSomething(message));
  const first = system.trim() === "" ? [] : [{ role: "system", content: system }];
  return {
    ...requestFields(settings),
    ...(model !== undefined && { model }),
    messages: [...first, ...said.map((message) => asked(message, message === begun))],
    stream: true,
    stream_options: { include_usage: true },
    timings_per_token: true,
    return_progress: true,
    ...(begun && { continue_final_message: true }),
  };
}

/** An answer that failed before its first word is no part of a conversation. */
function saysSomething({ role, text, calls = [] }: Message): boolean {
  return role !== "assistant" || text !== "" || calls.length > 0;
}

function asked(message: Message, isBegun: boolean): object {
  const { role, text, attachments = [], calls = [], callId, reasoning = "" } = message;
  if (role === "user") return { role, content: withAttachments(text, attachments) };
  if (role === "tool") return { role, content: text, tool_call_id: callId };
  // Templates that know of thinking want it in an answer that goes on, between a call and its result, and nowhere else.
  const thoughts = reasoning !== "" && { reasoning_content: reasoning };
  if (calls.length === 0) return { role, content: text, ...(isBegun && thoughts) };
  const tool_calls = calls.map(({ id, name, arguments: given }) => ({
    id,
    type: "function",
    function: { name, arguments: given },
  }));
  return { role, content: text, tool_calls, ...thoughts };
}

/** Files stand before the text, each in a fence that is longer than any inside. */
function withAttachments(text: string, attachments: readonly Attachment[]): string {
  const files = attachments.map(({ name, text: content }) => {
    const runs = content.match(/`{3,}/g) ?? [];
    const fence = "`".repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
    return `${name}:\n${fence}\n${content.replace(/\n$/, "")}\n${fence}`;
  });
  return [...files, text].filter((part) => part !== "").join("\n\n");
}
