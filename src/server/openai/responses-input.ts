/** Items of the Responses API as the conversation that the engine takes. */
import { z } from "zod";
import type { ChatMessage, MessageToolCall } from "../../index.ts";
import { RequestError } from "../errors.ts";

type Content = string | readonly Part[];

interface Part {
  readonly type: string;
  readonly text?: string | undefined;
  readonly refusal?: string | undefined;
}

/** Of what kind says `type`; a message need not say so. Further fields, as ids and statuses, change no answer. */
export interface InputItem {
  readonly type?: string | undefined;
  readonly role?: "system" | "developer" | "user" | "assistant" | undefined;
  readonly content?: Content | null | undefined;
  readonly call_id?: string | undefined;
  readonly name?: string | undefined;
  readonly arguments?: string | undefined;
  readonly output?: Content | undefined;
}

const content: z.ZodType<Content> = z.union([
  z.string(),
  z.array(
    z.looseObject({
      type: z.string(),
      text: z.string().optional(),
      refusal: z.string().optional(),
    }),
  ),
]);

export const inputItem: z.ZodType<InputItem> = z.looseObject({
  type: z.string().optional().describe("Default message"),
  role: z.enum(["system", "developer", "user", "assistant"]).optional(),
  content: content.nullish(),
  call_id: z.string().optional(),
  name: z.string().optional(),
  arguments: z.string().optional(),
  output: content.optional(),
});

/**
 * What an assistant thought, said and called between two other items is one message, as templates expect it.
 * @throws RequestError for what hearth has not: images, files, references to what was stored
 */
export function conversationOf(
  input: string | readonly InputItem[],
  instructions: string | undefined,
): readonly ChatMessage[] {
  const before = instructions ? [{ role: "system", content: instructions }] : [];
  if (typeof input === "string") return [...before, { role: "user", content: input }];
  const turns = new Turns();
  for (const [i, item] of input.entries()) addItem(turns, item, `input[${i}]`);
  return [...before, ...turns.end()];
}

class Turns {
  readonly #messages: ChatMessage[] = [];
  #said: string[] = [];
  #thoughts = "";
  #calls: MessageToolCall[] = [];

  say(text: string): void {
    if (this.#calls.length > 0) this.#close();
    this.#said.push(text);
  }

  think(text: string): void {
    if (this.#said.length > 0 || this.#calls.length > 0) this.#close();
    this.#thoughts += text;
  }

  call(call: MessageToolCall): void {
    this.#calls.push(call);
  }

  add(message: ChatMessage): void {
    this.#close();
    this.#messages.push(message);
  }

  end(): readonly ChatMessage[] {
    this.#close();
    return this.#messages;
  }

  #close(): void {
    const calls = this.#calls;
    if (this.#said.length === 0 && calls.length === 0 && this.#thoughts === "") return;
    this.#messages.push({
      role: "assistant",
      content: this.#said.join("\n"),
      ...(this.#thoughts !== "" && { reasoning_content: this.#thoughts }),
      ...(calls.length > 0 && { tool_calls: calls }),
    });
    this.#said = [];
    this.#thoughts = "";
    this.#calls = [];
  }
}

function addItem(turns: Turns, item: InputItem, at: string): void {
  const { type = "message", role, call_id = "", name, output } = item;
  switch (type) {
    case "message": {
      if (role === undefined) throw wrong(`${at}.role`, "a message has a role");
      const text = textOf(item.content ?? "", `${at}.content`);
      if (role === "assistant") turns.say(text);
      else turns.add({ role: role === "developer" ? "system" : role, content: text });
      return;
    }
    case "reasoning":
      turns.think(textOf(item.content ?? "", `${at}.content`));
      return;
    case "function_call": {
      if (name === undefined) throw wrong(`${at}.name`, "a call has the name of its function");
      const { arguments: given = "{}" } = item;
      turns.call({ type: "function", id: call_id, function: { name, arguments: given } });
      return;
    }
    case "function_call_output":
      if (output === undefined) throw wrong(`${at}.output`, "a function's output is missing");
      turns.add({ role: "tool", tool_call_id: call_id, content: textOf(output, `${at}.output`) });
      return;
    default: {
      const message = `${at}.type: items of type "${type}" are not supported; hearth stores nothing, and functions are its only tools`;
      throw new RequestError("not supported", message, { field: `${at}.type` });
    }
  }
}

const textTypes: ReadonlySet<string> = new Set([
  "input_text",
  "output_text",
  "reasoning_text",
  "text",
]);

function textOf(of: Content, at: string): string {
  if (typeof of === "string") return of;
  const texts = of.map(({ type, text, refusal }, i) => {
    if (textTypes.has(type) && text !== undefined) return text;
    if (type === "refusal" && refusal !== undefined) return refusal;
    const field = `${at}[${i}]`;
    const message = `${field}: parts of type "${type}" are not supported; hearth reads text`;
    throw new RequestError("not supported", message, { field });
  });
  return texts.join("\n");
}

function wrong(field: string, reason: string): RequestError {
  return new RequestError("invalid request", `${field}: ${reason}`, { field });
}
