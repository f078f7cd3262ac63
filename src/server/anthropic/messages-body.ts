/** The body of `/v1/messages`, and the request for an answer that it is. */
import { z } from "zod";
import { isRecord } from "../../core/check-options.ts";
import { defined } from "../../core/defined.ts";
import type {
  ChatMessage,
  ChatTemplateOptions,
  MessageToolCall,
  Tool,
  ToolChoice,
} from "../../index.ts";
import { isBegun } from "../answers/begun-answer.ts";
import { formOptions, type SchemaObject, schemaField } from "../answers/form-fields.ts";
import type { AnswerRequest } from "../answers/request.ts";
import type { AbsentField, BodyFields } from "../body-fields.ts";
import { RequestError } from "../errors.ts";

type Content = string | readonly Block[];

/** Of what kind says `type`; further fields say nothing that changes an answer here, as `cache_control`. */
interface Block {
  readonly type: string;
  readonly text?: string | undefined;
  readonly thinking?: string | undefined;
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly input?: Readonly<Record<string, unknown>> | undefined;
  readonly tool_use_id?: string | undefined;
  readonly content?: Content | undefined;
}

interface AnthropicTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly input_schema: Readonly<Record<string, unknown>>;
}

interface Message {
  readonly role: "user" | "assistant";
  readonly content: Content;
}

/** What a conversation is; its tokens can be counted. */
export interface ConversationBody {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly system?: Content | undefined;
  readonly tools?: readonly AnthropicTool[] | undefined;
  readonly tool_choice?:
    | {
        readonly type: "auto" | "none" | "any" | "tool";
        readonly name?: string | undefined;
        readonly disable_parallel_tool_use?: boolean | undefined;
      }
    | undefined;
  readonly thinking?: { readonly type: "enabled" | "disabled" | "adaptive" } | undefined;
}

export interface MessagesBody extends ConversationBody {
  readonly max_tokens: number;
  readonly stop_sequences?: readonly string[] | undefined;
  readonly stream?: boolean | undefined;
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly top_k?: number | undefined;
  readonly output_format?: OutputFormat | undefined;
  readonly output_config?: OutputConfig | undefined;
}

interface OutputFormat {
  readonly type: "json_schema";
  readonly schema: SchemaObject;
}

interface OutputConfig {
  /** The newer place of `output_format`. */
  readonly format?: OutputFormat | null | undefined;
  readonly effort?: string | null | undefined;
}

const outputFormat: z.ZodType<OutputFormat> = z.strictObject({
  type: z.literal("json_schema"),
  schema: schemaField,
});

const content: z.ZodType<Content> = z.lazy(() => z.union([z.string(), z.array(block)]));

const block: z.ZodType<Block> = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  thinking: z.string().optional(),
  id: z.string().optional(),
  name: z.string().optional(),
  input: z.record(z.string(), z.unknown()).optional(),
  tool_use_id: z.string().optional(),
  content: content.optional(),
});

const tool: z.ZodType<AnthropicTool> = z.looseObject({
  type: z.literal("custom", "tools of Anthropic's own are not here").optional(),
  name: z.string(),
  description: z.string().optional(),
  input_schema: z.record(z.string(), z.unknown()),
});

const conversation = {
  model: z.string().min(1),
  messages: z.array(z.object({ role: z.enum(["user", "assistant"]), content })).min(1),
  system: content.optional(),
  tools: z.array(tool).optional(),
  tool_choice: z
    .looseObject({
      type: z.enum(["auto", "none", "any", "tool"]),
      name: z.string().optional().describe("With type tool"),
      disable_parallel_tool_use: z
        .boolean()
        .optional()
        .describe("An answer ends behind its first use of a tool"),
    })
    .optional(),
  thinking: z
    .discriminatedUnion("type", [
      z.object({ type: z.literal("disabled") }),
      z.object({ type: z.literal("adaptive").describe("As the model's template has it") }),
      z.object({
        type: z.literal("enabled"),
        budget_tokens: z.int().min(1).optional().describe("max_tokens bounds thoughts and text"),
      }),
    ])
    .optional(),
};

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const absent: Readonly<Record<string, AbsentField>> = {
  mcp_servers: { reason: "hearth calls no tools itself", isNeutral: isEmptyList },
  container: { reason: "hearth runs no programs" },
  context_management: {
    reason: "a conversation is read as it is sent",
    isNeutral: (value) => isRecord(value) && isEmptyList(value["edits"] ?? []),
  },
};

export const messagesFields: BodyFields<MessagesBody> = {
  schema: z
    .object({
      ...conversation,
      max_tokens: z.int().min(1),
      stop_sequences: z.array(z.string().min(1)).max(64).optional(),
      stream: z.boolean().optional(),
      temperature: z.number().min(0).optional(),
      top_p: z.number().min(0).max(1).optional(),
      output_format: outputFormat.optional(),
      output_config: z
        .strictObject({
          format: outputFormat.nullish(),
          effort: z.string().nullish().describe("Without effect: models here do not know it"),
        })
        .optional(),
      top_k: z.int().min(0).optional(),
    })
    .meta({ id: "MessagesRequest" }),
  idle: ["metadata", "service_tier", "cache_control", "inference_geo"],
  absent,
  idleWithin: ({ output_config }) => (output_config?.effort ? ["output_config.effort"] : []),
};

export const countFields: BodyFields<ConversationBody> = {
  schema: z.object(conversation).meta({ id: "CountTokensRequest" }),
  idle: ["cache_control", "output_config"],
  absent,
};

/** @throws RequestError for what hearth has not */
export function messagesRequest(body: MessagesBody): AnswerRequest {
  const { model, max_tokens: maxTokens, temperature, stop_sequences: stop } = body;
  const { messages, template, tools } = conversationOf(body);
  return {
    model,
    prompts: [
      {
        kind: "messages",
        messages,
        template,
        tools,
        toolChoice: toolChoiceOf(body),
      },
    ],
    oneCall: body.tool_choice?.disable_parallel_tool_use ?? false,
    options: {
      maxTokens,
      ...defined({ temperature, stop, topP: body.top_p, topK: body.top_k }),
      ...formOptions({}, schemaOf(body)),
    },
  };
}

/** @throws RequestError for two schemas */
function schemaOf({ output_format, output_config }: MessagesBody): SchemaObject | undefined {
  const format = output_config?.format ?? undefined;
  if (format !== undefined && output_format !== undefined) {
    const message = "output_format: output_config asks for a form already; give one";
    throw new RequestError("invalid request", message, { field: "output_format" });
  }
  return (format ?? output_format)?.schema;
}

interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly template: ChatTemplateOptions;
  readonly tools: readonly Tool[];
}

/** As the engine takes it. @throws RequestError for what hearth has not: images, documents */
export function conversationOf(body: ConversationBody): Conversation {
  const { system, thinking } = body;
  const before = system === undefined ? "" : textOf(system, "system");
  const messages = [
    ...(before === "" ? [] : [{ role: "system", content: before }]),
    ...body.messages.flatMap((message, i) => chatMessagesOf(message, `messages[${i}].content`)),
  ];
  const variables =
    thinking === undefined || thinking.type === "adaptive"
      ? {}
      : { enable_thinking: thinking.type === "enabled" };
  const template = { variables, ...(isBegun(messages) && { continueLast: true }) };
  return { messages, template, tools: toolsOf(body) };
}

/** @throws RequestError for a tool without a name */
function toolChoiceOf({ tool_choice: choice }: ConversationBody): ToolChoice {
  if (choice === undefined || choice.type === "auto" || choice.type === "none") return "auto";
  if (choice.type === "any") return "required";
  const { name } = choice;
  if (name !== undefined) return { name };
  const message = "tool_choice.name: type tool names one";
  throw new RequestError("invalid request", message, { field: "tool_choice.name" });
}

function toolsOf({ tools = [], tool_choice }: ConversationBody): readonly Tool[] {
  if (tool_choice?.type === "none") return [];
  return tools.map(({ name, description, input_schema }) => {
    return { name, parameters: withFragments(input_schema), ...defined({ description }) };
  });
}

/** LiteLLM writes references to a schema's own parts without the "#" in front. */
function withFragments(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const mended = (value: unknown, key = ""): unknown => {
    if (Array.isArray(value)) return value.map((one: unknown) => mended(one));
    if (isRecord(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([name, one]) => [name, mended(one, name)]),
      );
    }
    const isReference =
      key === "$ref" && typeof value === "string" && /^\/(\$defs|definitions)\//.test(value);
    return isReference ? `#${value}` : value;
  };
  return Object.fromEntries(Object.entries(schema).map(([name, one]) => [name, mended(one, name)]));
}

/** Results of tools are messages of their own; they come before what the user says besides. */
function chatMessagesOf({ role, content: of }: Message, at: string): readonly ChatMessage[] {
  if (typeof of === "string") return [{ role, content: of }];
  const results: ChatMessage[] = [];
  const calls: MessageToolCall[] = [];
  const texts: string[] = [];
  let thoughts = "";
  for (const [i, one] of of.entries()) {
    const { type, id, name = "", input = {}, tool_use_id } = one;
    if (type === "tool_use") {
      calls.push({ type: "function", function: { name, arguments: input }, ...defined({ id }) });
    } else if (type === "tool_result") {
      const result = textOf(one.content ?? "", `${at}[${i}].content`);
      results.push({ role: "tool", content: result, ...defined({ tool_call_id: tool_use_id }) });
    } else if (type === "thinking") thoughts += one.thinking ?? "";
    else if (type !== "redacted_thinking") texts.push(textOf([one], at, i));
  }
  const isEmpty = texts.length === 0 && calls.length === 0 && thoughts === "";
  if (isEmpty && results.length > 0) return results;
  const message = {
    role,
    content: texts.join("\n"),
    ...(thoughts !== "" && { reasoning_content: thoughts }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
  return [...results, message];
}

/** Several blocks of text are paragraphs. `first`: the place of the first one. */
function textOf(of: Content, at: string, first = 0): string {
  if (typeof of === "string") return of;
  const texts = of.map(({ type, text }, i) => {
    if (type === "text" && text !== undefined) return text;
    const field = `${at}[${first + i}]`;
    const message = `${field}: blocks of type "${type}" are not supported here; hearth reads text`;
    throw new RequestError("not supported", message, { field });
  });
  return texts.join("\n");
}
