/** The body of `/v1/messages`, and the request for an answer that it is. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import type { ChatMessage } from "../../index.ts";
import type { AnswerRequest } from "../answers/request.ts";
import type { AbsentField, BodyFields } from "../body-fields.ts";
import { RequestError } from "../errors.ts";

type Content = string | readonly Block[];

interface Block {
  readonly type: string;
  readonly text?: string | undefined;
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
}

export interface MessagesBody extends ConversationBody {
  readonly max_tokens: number;
  readonly stop_sequences?: readonly string[] | undefined;
  readonly stream?: boolean | undefined;
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly top_k?: number | undefined;
}

/** Further fields of a block, as `cache_control`, say nothing that changes an answer here. */
const content: z.ZodType<Content> = z.union([
  z.string(),
  z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
]);

const conversation = {
  model: z.string().min(1),
  messages: z.array(z.object({ role: z.enum(["user", "assistant"]), content })).min(1),
  system: content.optional(),
};

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const tools = "calls of tools are not supported yet";

const absent: Readonly<Record<string, AbsentField>> = {
  tools: { reason: tools, isNeutral: isEmptyList },
  tool_choice: { reason: tools },
  mcp_servers: { reason: tools, isNeutral: isEmptyList },
  container: { reason: tools },
  thinking: {
    reason: "thoughts are not told apart here yet",
    isNeutral: (value) => JSON.stringify(value) === '{"type":"disabled"}',
  },
  output_format: { reason: "answers of a promised form are not supported yet" },
  output_config: { reason: "answers of a promised form are not supported yet" },
  context_management: { reason: "a conversation is read as it is sent" },
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
      top_k: z.int().min(0).optional(),
    })
    .meta({ id: "MessagesRequest" }),
  idle: ["metadata", "service_tier", "cache_control", "inference_geo"],
  absent,
};

export const countFields: BodyFields<ConversationBody> = {
  schema: z.object(conversation).meta({ id: "CountTokensRequest" }),
  idle: ["cache_control"],
  absent,
};

/** @throws RequestError for what hearth has not */
export function messagesRequest(body: MessagesBody): AnswerRequest {
  const { model, max_tokens: maxTokens, temperature, stop_sequences: stop } = body;
  return {
    model,
    prompts: [{ kind: "messages", messages: conversationOf(body) }],
    options: {
      maxTokens,
      ...defined({ temperature, stop, topP: body.top_p, topK: body.top_k }),
    },
  };
}

/** @throws RequestError for what hearth has not: images, documents, calls of tools, answers that are begun */
export function conversationOf({ system, messages }: ConversationBody): readonly ChatMessage[] {
  if (messages.at(-1)?.role === "assistant") {
    const field = `messages[${messages.length - 1}].role`;
    const message = `${field}: a conversation ends with the user's message; answers that are begun are not supported`;
    throw new RequestError("not supported", message, { field });
  }
  const before = system === undefined ? "" : textOf(system, "system");
  return [
    ...(before === "" ? [] : [{ role: "system", content: before }]),
    ...messages.map(({ role, content: of }, i) => ({
      role,
      content: textOf(of, `messages[${i}].content`),
    })),
  ];
}

/** Several blocks of text are paragraphs. */
function textOf(of: Content, at: string): string {
  if (typeof of === "string") return of;
  const texts = of.map(({ type, text }, i) => {
    if (type === "text" && text !== undefined) return text;
    const field = `${at}[${i}]`;
    const message = `${field}: blocks of type "${type}" are not supported; hearth reads text`;
    throw new RequestError("not supported", message, { field });
  });
  return texts.join("\n");
}
