/** A message of a conversation, in the words of OpenAI's API and of Hugging Face's chat templates. */
import {
  checkValue,
  describeValue,
  isPlainObject,
  isRecord,
  type OptionRule,
  textRule,
} from "../core/check-options.ts";
import { OptionError } from "../core/errors.ts";
import type { Reply } from "./replies/reply.ts";

const anyText: OptionRule = { expected: "a text", accepts: (value) => typeof value === "string" };

export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

/** A call that an assistant has made. */
export interface MessageToolCall {
  readonly id?: string;
  readonly type?: "function";
  readonly function: {
    readonly name: string;
    /** An object, or the JSON text of one. */
    readonly arguments: string | Readonly<Record<string, unknown>>;
  };
}

export interface ChatMessage {
  /** "system", "user", "assistant", "tool", or what else the model's template knows. */
  readonly role: string;
  /** Parts are joined by line breaks. May be missing beside calls. */
  readonly content?: string | readonly TextPart[] | null;
  /** What an assistant thought before it answered; most templates forget it in later turns. */
  readonly reasoning_content?: string | null;
  readonly tool_calls?: readonly MessageToolCall[] | null;
  /** Of a message of role "tool": which call it answers. */
  readonly tool_call_id?: string;
  /** Of a message of role "tool": the function's name. Default: that of the call which it answers. */
  readonly name?: string;
}

/** What a model answered, as a message of the conversation that goes on. @throws OptionError for what is no reply */
export function replyMessage(
  reply: Pick<Reply, "content" | "reasoning" | "toolCalls">,
): ChatMessage {
  if (!isRecord(reply)) throw new OptionError("reply", describeValue(reply), "a chat's reply");
  const { content, reasoning, toolCalls } = reply;
  checkValue(content, "reply.content", anyText);
  checkValue(reasoning, "reply.reasoning", anyText);
  checkValue(toolCalls, "reply.toolCalls", { expected: "a list", accepts: Array.isArray });
  const calls = toolCalls.map(({ id, name, arguments: text }): MessageToolCall => {
    return { id, type: "function", function: { name, arguments: text } };
  });
  return {
    role: "assistant",
    content,
    ...(reasoning !== "" && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

/** "" for none. */
export function contentText({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  return content?.map(({ text }) => text).join("\n") ?? "";
}

/** @throws OptionError for a conversation that no template could have made sense of. */
export function checkMessages(messages: unknown): void {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new OptionError("messages", describeValue(messages), "a list of at least one message");
  }
  for (const [index, message] of messages.entries()) {
    const option = `messages[${index}]`;
    if (!isRecord(message))
      throw new OptionError(option, describeValue(message), "{ role, content }");
    checkValue(message["role"], `${option}.role`, textRule);
    const calls = message["tool_calls"] ?? [];
    if (!Array.isArray(calls) || !calls.every(isToolCall)) {
      const expected = "a list of { id, function: { name, arguments } }";
      throw new OptionError(`${option}.tool_calls`, describeValue(calls), expected);
    }
    checkContent(message, option);
    checkTexts(message, option);
  }
}

function checkContent(message: Readonly<Record<string, unknown>>, option: string): void {
  const { content, tool_calls: calls } = message;
  const mayMiss = Array.isArray(calls) && calls.length > 0;
  const isMissing = content === null || content === undefined;
  if (typeof content === "string" || (isMissing && mayMiss)) return;
  if (Array.isArray(content) && content.every(isTextPart)) return;
  throw new OptionError(`${option}.content`, describeValue(content), "a text, or parts of text");
}

function checkTexts(message: Readonly<Record<string, unknown>>, option: string): void {
  for (const key of ["reasoning_content", "tool_call_id", "name"]) {
    const value = message[key];
    if (value === undefined || value === null || typeof value === "string") continue;
    throw new OptionError(`${option}.${key}`, describeValue(value), "a text");
  }
}

function isTextPart(part: unknown): boolean {
  return isRecord(part) && part["type"] === "text" && typeof part["text"] === "string";
}

function isToolCall(call: unknown): boolean {
  if (!isRecord(call) || !isRecord(call["function"])) return false;
  const { name, arguments: given } = call["function"];
  const isGiven = typeof given === "string" || isPlainObject(given);
  const { id } = call;
  return typeof name === "string" && isGiven && (id === undefined || typeof id === "string");
}
