/** Messages of OpenAI's form as those of a chat template. */
import { z } from "zod";
import type { ChatMessage } from "../../index.ts";
import { RequestError } from "../errors.ts";

/** As it was judged; further fields are judged by `messagesOf`. */
export interface OpenAiMessage {
  readonly role: (typeof roles)[number];
  readonly content?: string | readonly ContentPart[] | null | undefined;
  readonly [field: string]: unknown;
}

interface ContentPart {
  readonly type: string;
  readonly text?: string | undefined;
  readonly [field: string]: unknown;
}

const roles = ["system", "developer", "user", "assistant", "tool", "function"] as const;

export const chatMessage: z.ZodType<OpenAiMessage> = z.looseObject({
  role: z.enum(roles),
  content: z
    .union([
      z.string(),
      z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
      z.null(),
    ])
    .optional(),
});

/** Of a message, beside role and content: without a meaning for a template, or what a client sends back of an answer. */
const idleFields: ReadonlySet<string> = new Set(["name", "refusal", "annotations", "id"]);

/** @throws RequestError for what hearth has not: images, sounds, calls of tools */
export function messagesOf(messages: readonly OpenAiMessage[]): readonly ChatMessage[] {
  return messages.map((message, i) => {
    const at = `messages[${i}]`;
    const { role, content, ...others } = message;
    refuseOthers(others, at);
    if (role === "tool" || role === "function") throw noTools(`${at}.role`);
    // OpenAI's newer name for it; templates know the older one.
    return { role: role === "developer" ? "system" : role, content: textOf(content, at) };
  });
}

function refuseOthers(others: Readonly<Record<string, unknown>>, at: string): void {
  for (const [name, value] of Object.entries(others)) {
    const isEmpty = value === null || (Array.isArray(value) && value.length === 0);
    if (isEmpty || idleFields.has(name)) continue;
    if (name === "tool_calls" || name === "function_call") throw noTools(`${at}.${name}`);
    const message = `${at}.${name} is not a field that hearth knows`;
    throw new RequestError("invalid request", message, { field: `${at}.${name}` });
  }
}

/** Several parts of text are paragraphs, as llama-server joins them. */
function textOf(content: OpenAiMessage["content"], at: string): string {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  const texts = content.map((part, i) => {
    const { type, text } = part;
    if (type === "text" && text !== undefined) return text;
    const { refusal } = part;
    if (type === "refusal" && typeof refusal === "string") return refusal;
    const field = `${at}.content[${i}]`;
    const message = `${field}: parts of type "${type}" are not supported; hearth reads text`;
    throw new RequestError("not supported", message, { field });
  });
  return texts.join("\n");
}

function noTools(field: string): RequestError {
  return new RequestError("not supported", `${field}: calls of tools are not supported yet`, {
    field,
  });
}
