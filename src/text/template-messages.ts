/** Messages and tools as a chat template reads them: with what it does not know said in words that it does. */
import { type ChatMessage, contentText, type MessageToolCall } from "./chat-message.ts";
import { type Input, isInput } from "./jinja/input.ts";
import { type CallGrammar, genericGrammar, writeCalls } from "./replies/call-grammar.ts";
import { resultText, toolsText } from "./replies/generic-tools.ts";
import type { Tool } from "./replies/tool.ts";
import type { TemplateAbilities } from "./template-abilities.ts";

/** `grammar`: of calls that the template does not show. */
export type ToldAbilities = TemplateAbilities & { readonly grammar?: CallGrammar | undefined };

type TemplateMessage = { readonly [key: string]: Input };

export interface TemplateConversation {
  readonly messages: readonly TemplateMessage[];
  readonly tools: Input;
}

/** `abilities`: asked for where the conversation has tools or calls. */
export function templateConversation(
  messages: readonly ChatMessage[],
  tools: readonly Tool[],
  abilities: () => ToldAbilities,
): TemplateConversation {
  const isPlain =
    tools.length === 0 &&
    messages.every(({ role, tool_calls: calls }) => role !== "tool" && !calls);
  if (isPlain) return { messages: messages.map(plainMessage), tools: null };
  const able = abilities();
  const named = withNames(messages);
  const single = takesSeveral(able) ? named : named.flatMap(withSingleCalls);
  const told = tools.length > 0 && !able.knowsTools ? withToolsText(single, tools, able) : single;
  return {
    messages: told.map((message) => templateMessage(message, able)),
    tools: tools.length > 0 && able.knowsTools ? tools.map(templateTool) : null,
  };
}

function plainMessage(message: ChatMessage): TemplateMessage {
  const { role, reasoning_content: reasoning, name } = message;
  const content = contentText(message);
  return {
    role,
    content,
    ...(name !== undefined && { name }),
    // Templates call it by one of two names.
    ...(reasoning && { reasoning_content: reasoning, thinking: reasoning }),
  };
}

function templateMessage(message: ChatMessage, able: ToldAbilities): TemplateMessage {
  const { role, tool_calls: calls, tool_call_id: id } = message;
  const plain = plainMessage(message);
  const content = contentText(message);
  if (role === "tool" && !able.showsResults) {
    return { role: "user", content: resultText(message.name, content) };
  }
  if (role === "tool") return { ...plain, ...(id !== undefined && { tool_call_id: id }) };
  if (!calls || calls.length === 0) return plain;
  if (able.calls === undefined) {
    const grammar = able.grammar ?? genericGrammar;
    const text = writeCalls(
      calls.map(({ function: { name, arguments: given } }) => ({
        name,
        arguments: argumentsText(given),
      })),
      grammar,
    );
    return { ...plain, content: [content, text].filter((part) => part !== "").join("\n") };
  }
  const { noContent, arguments: form } = able.calls;
  const { thinking, ...others } = plain;
  return {
    ...(content === "" ? plain : others),
    content: content === "" ? noContent : content,
    tool_calls: calls.map((call) => templateCall(call, form)),
  };
}

function templateCall(call: MessageToolCall, form: "object" | "text"): Input {
  const { name, arguments: given } = call.function;
  const text = argumentsText(given);
  return {
    ...(call.id !== undefined && { id: call.id }),
    type: "function",
    function: { name, arguments: form === "text" ? text : (parsed(text) ?? text) },
  };
}

function argumentsText(given: MessageToolCall["function"]["arguments"]): string {
  return typeof given === "string" ? given : JSON.stringify(given);
}

function parsed(text: string): Input | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isInput(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function templateTool({ name, description = "", parameters }: Tool): Input {
  const schema = isInput(parameters) ? parameters : { type: "object", properties: {} };
  return { type: "function", function: { name, description, parameters: schema } };
}

/** A result says which function gave it: some templates want the name, and clients send the id alone. */
function withNames(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const names = new Map<string, string>();
  return messages.map((message) => {
    for (const call of message.tool_calls ?? []) {
      if (call.id !== undefined) names.set(call.id, call.function.name);
    }
    const name = message.name ?? names.get(message.tool_call_id ?? "");
    return message.role === "tool" && name !== undefined ? { ...message, name } : message;
  });
}

function takesSeveral({ calls, showsSeveral, grammar = genericGrammar }: ToldAbilities): boolean {
  return calls === undefined ? grammar.separator !== undefined : showsSeveral;
}

/** A message of several calls as one for each, its result behind it; and the results that have moved are left out. */
function withSingleCalls(
  message: ChatMessage,
  index: number,
  all: readonly ChatMessage[],
): readonly ChatMessage[] {
  const { tool_calls: calls } = message;
  if (message.role === "tool") return isOfSeveral(index, all) ? [] : [message];
  if (!calls || calls.length < 2) return [message];
  const results = resultsBehind(index, all);
  return calls.flatMap((call, place) => {
    const own = results.find(({ tool_call_id: id }) => id !== undefined && id === call.id);
    const result = own ?? results[place];
    const { content, reasoning_content: _, ...others } = message;
    const single = place === 0 ? { ...message } : { ...others, content: "" };
    return [{ ...single, tool_calls: [call] }, ...(result ? [result] : [])];
  });
}

function resultsBehind(index: number, all: readonly ChatMessage[]): readonly ChatMessage[] {
  const end = all.findIndex(({ role }, at) => at > index && role !== "tool");
  return all.slice(index + 1, end < 0 ? undefined : end);
}

function isOfSeveral(index: number, all: readonly ChatMessage[]): boolean {
  const caller = all.slice(0, index).findLast(({ role }) => role !== "tool");
  return (caller?.tool_calls?.length ?? 0) > 1;
}

/** In the system message, or in the first message of a template that knows none. */
function withToolsText(
  messages: readonly ChatMessage[],
  tools: readonly Tool[],
  { takesSystem }: TemplateAbilities,
): readonly ChatMessage[] {
  const text = toolsText(tools);
  const [first, ...others] = messages;
  const isSystem = first?.role === "system";
  if (first !== undefined && (isSystem || !takesSystem)) {
    return [{ ...first, content: `${contentText(first)}\n\n${text}`.trim() }, ...others];
  }
  return [{ role: "system", content: text }, ...messages];
}
