/** Messages and tools of OpenAI's form as the engine takes them. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import type {
  ChatMessage,
  ChatTemplateOptions,
  MessageToolCall,
  Tool,
  ToolChoice,
} from "../../index.ts";
import { isBegun } from "../answers/begun-answer.ts";
import { RequestError } from "../errors.ts";

/** As it was judged; further fields are judged by `messagesOf`. */
export interface OpenAiMessage {
  readonly role: (typeof roles)[number];
  readonly content?: string | readonly ContentPart[] | null | undefined;
  readonly reasoning_content?: string | null | undefined;
  readonly tool_calls?: readonly OpenAiToolCall[] | null | undefined;
  readonly tool_call_id?: string | null | undefined;
  readonly name?: string | null | undefined;
  readonly [field: string]: unknown;
}

interface ContentPart {
  readonly type: string;
  readonly text?: string | undefined;
  readonly [field: string]: unknown;
}

interface OpenAiToolCall {
  readonly id?: string | undefined;
  readonly function: { readonly name: string; readonly arguments: string };
}

export interface OpenAiTool {
  readonly function: {
    readonly name: string;
    readonly description?: string | undefined;
    readonly parameters?: Readonly<Record<string, unknown>> | undefined;
    readonly strict?: boolean | null | undefined;
  };
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
  reasoning_content: z.string().nullish(),
  tool_calls: z
    .array(
      z.looseObject({
        id: z.string().optional(),
        type: z.literal("function").optional(),
        function: z.looseObject({ name: z.string(), arguments: z.string() }),
      }),
    )
    .nullish(),
  tool_call_id: z.string().nullish(),
  name: z.string().nullish(),
});

export const chatTool: z.ZodType<OpenAiTool> = z.strictObject({
  type: z.literal("function"),
  function: z.strictObject({
    name: z.string(),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
    strict: z
      .boolean()
      .nullish()
      .describe(
        "The request is refused where the arguments cannot be kept to the schema; without it, they are any object then",
      ),
  }),
});

export type OpenAiToolChoice =
  | "auto"
  | "none"
  | "required"
  | { readonly function: { readonly name: string } };

export const toolChoice: z.ZodType<OpenAiToolChoice> = z.union([
  z.enum(["auto", "none", "required"]),
  z.strictObject({
    type: z.literal("function"),
    function: z.strictObject({ name: z.string() }),
  }),
]);

export function toolChoiceOf(choice: OpenAiToolChoice): ToolChoice {
  return typeof choice === "string" ? choice : { name: choice.function.name };
}

/** Of a message, beside what is read: what a client sends back of an answer. */
const idleFields: ReadonlySet<string> = new Set(["refusal", "annotations", "id"]);

/** @throws RequestError for what hearth has not, as images and sounds */
export function messagesOf(messages: readonly OpenAiMessage[]): readonly ChatMessage[] {
  return messages.map((message, i) => {
    const at = `messages[${i}]`;
    const { role, content, reasoning_content, tool_calls, tool_call_id, name, ...others } = message;
    refuseOthers(others, at);
    const calls = (tool_calls ?? []).map(toolCallOf);
    const read = {
      tool_call_id: tool_call_id ?? undefined,
      name: name ?? undefined,
      reasoning_content: reasoning_content ?? undefined,
      tool_calls: calls.length > 0 ? calls : undefined,
    };
    return { role: templateRole(role), content: textOf(content, at), ...defined(read) };
  });
}

/** How a prompt ends, of chats and of `/apply-template`. */
export interface EndingBody {
  readonly messages: readonly OpenAiMessage[];
  readonly add_generation_prompt?: boolean | undefined;
  readonly continue_final_message?: boolean | undefined;
}

/** To be spread into the schema of a body. */
export const endingFields: {
  readonly [Name in keyof Required<Omit<EndingBody, "messages">>]: z.ZodType<EndingBody[Name]>;
} = {
  add_generation_prompt: z
    .boolean()
    .optional()
    .describe("End with the opening of the assistant's turn, also behind a message of its own"),
  continue_final_message: z
    .boolean()
    .optional()
    .describe("Go on where the last message ends. Default: where it is the assistant's"),
};

/** As llama-server and vLLM understand them. @throws RequestError for both, and for a last message that cannot be gone on with */
export function endingOf({
  messages,
  add_generation_prompt: opens,
  continue_final_message: goesOn,
}: EndingBody): Pick<ChatTemplateOptions, "addGenerationPrompt" | "continueLast"> {
  const isOpen = isBegun(messages);
  const field = "continue_final_message";
  if (goesOn && opens) {
    const message = `${field}: add_generation_prompt opens a turn of its own; give one of them`;
    throw new RequestError("invalid request", message, { field });
  }
  if (goesOn && !isOpen) {
    const message = `${field}: the last message must be the assistant's, without calls`;
    throw new RequestError("invalid request", message, { field });
  }
  if (isOpen && (goesOn ?? !opens)) return { continueLast: true };
  return defined({ addGenerationPrompt: opens });
}

export function toolsOf(tools: readonly OpenAiTool[]): readonly Tool[] {
  return tools.map(({ function: { name, description, parameters, strict } }) => {
    return { name, ...defined({ description, parameters, strict: strict ?? undefined }) };
  });
}

/** Newer and older names of OpenAI's for what templates know as system and tool. */
function templateRole(role: OpenAiMessage["role"]): string {
  if (role === "developer") return "system";
  return role === "function" ? "tool" : role;
}

function toolCallOf({ id, function: { name, arguments: given } }: OpenAiToolCall): MessageToolCall {
  return { type: "function", function: { name, arguments: given }, ...defined({ id }) };
}

function refuseOthers(others: Readonly<Record<string, unknown>>, at: string): void {
  for (const [name, value] of Object.entries(others)) {
    const isEmpty = value === null || (Array.isArray(value) && value.length === 0);
    if (isEmpty || idleFields.has(name)) continue;
    const message = `${at}.${name} is not a field that hearth knows`;
    throw new RequestError("invalid request", message, { field: `${at}.${name}` });
  }
}

/** Several parts of text are paragraphs, as llama-server joins them. */
function textOf(content: OpenAiMessage["content"], at: string): string {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  const texts = content.map((part, i) => {
    const { type, text, refusal } = part;
    if (type === "text" && text !== undefined) return text;
    if (type === "refusal" && typeof refusal === "string") return refusal;
    const field = `${at}.content[${i}]`;
    const message = `${field}: parts of type "${type}" are not supported; hearth reads text`;
    throw new RequestError("not supported", message, { field });
  });
  return texts.join("\n");
}
