/** The body of `/v1/chat/completions`, and the request for an answer that it is. */
import { z } from "zod";
import { isEmptyList } from "../answers/absent-fields.ts";
import {
  anyObject,
  type FormBody,
  formFields,
  formOptions,
  type SchemaObject,
  schemaField,
} from "../answers/form-fields.ts";
import { type ReadingBody, readingFields, readingOptions } from "../answers/reading-fields.ts";
import type { AnswerRequest } from "../answers/request.ts";
import { type SamplingBody, samplingFields, samplingOptions } from "../answers/sampling-fields.ts";
import {
  type TellingBody,
  tellingFields,
  tellingOptions,
  tellsProgress,
} from "../answers/telling-fields.ts";
import type { BodyFields } from "../body-fields.ts";
import { RequestError, requireAtMost } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { absentFields, idleFields } from "./absent-fields.ts";
import {
  chatMessage,
  chatTool,
  type EndingBody,
  endingFields,
  endingOf,
  messagesOf,
  type OpenAiMessage,
  type OpenAiTool,
  type OpenAiToolChoice,
  toolChoice,
  toolChoiceOf,
  toolsOf,
} from "./messages.ts";
import { type SharedBody, sharedFields } from "./shared-fields.ts";

export interface ChatBody
  extends SharedBody,
    SamplingBody,
    FormBody,
    ReadingBody,
    TellingBody,
    EndingBody {
  readonly response_format?: ResponseFormat | undefined;
  readonly messages: readonly OpenAiMessage[];
  readonly tools?: readonly OpenAiTool[] | undefined;
  readonly tool_choice?: OpenAiToolChoice | undefined;
  readonly parallel_tool_calls?: boolean | undefined;
  readonly max_completion_tokens?: number | undefined;
  readonly logprobs?: boolean | undefined;
  readonly top_logprobs?: number | undefined;
  readonly reasoning_effort?: string | undefined;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | undefined;
}

type ResponseFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object"; readonly schema?: SchemaObject | undefined }
  | { readonly type: "json_schema"; readonly json_schema: { readonly schema: SchemaObject } };

const responseFormat: z.ZodType<ResponseFormat> = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text") }),
  z.strictObject({ type: z.literal("json_object"), schema: schemaField.optional() }),
  z.strictObject({
    type: z.literal("json_schema"),
    // A schema is kept to whatever strict says.
    json_schema: z.strictObject({
      schema: schemaField,
      name: z.string().optional(),
      description: z.string().optional(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

export const chatFields: BodyFields<ChatBody> = {
  schema: z
    .object({
      ...sharedFields,
      ...samplingFields,
      ...formFields,
      ...readingFields,
      ...tellingFields,
      response_format: responseFormat.optional(),
      messages: z.array(chatMessage).min(1),
      tools: z.array(chatTool).optional(),
      tool_choice: toolChoice.optional(),
      parallel_tool_calls: z
        .boolean()
        .optional()
        .describe("false: an answer ends behind its first call"),
      max_completion_tokens: z.int().min(1).optional(),
      logprobs: z.boolean().optional(),
      top_logprobs: z.int().min(0).optional(),
      reasoning_effort: z.string().optional().describe("A variable of the model's chat template"),
      ...endingFields,
      chat_template_kwargs: z.record(z.string(), z.unknown()).optional(),
    })
    .meta({ id: "ChatCompletionRequest" }),
  idle: idleFields,
  absent: {
    ...absentFields,
    functions: { reason: "tools is its newer name", isNeutral: isEmptyList },
    function_call: { reason: "tool_choice is its newer name" },
  },
};

/** @throws RequestError for what does not go together, or is more than the server gives */
export function chatRequest(body: ChatBody, limits: Limits): AnswerRequest {
  const { messages, model, n = 1 } = body;
  requireAtMost("n", n, limits.answersPerRequest);
  const maxTokens = maxTokensOf(body);
  const logprobs = logprobsOf(body, limits);
  const variables = {
    ...body.chat_template_kwargs,
    ...(body.reasoning_effort !== undefined && { reasoning_effort: body.reasoning_effort }),
  };
  return {
    model,
    prompts: [
      {
        kind: "messages",
        messages: messagesOf(messages),
        template: { variables, ...endingOf(body) },
        tools: toolsOf(body.tools ?? []),
        toolChoice: toolChoiceOf(body.tool_choice ?? "auto"),
      },
    ],
    count: n,
    oneCall: body.parallel_tool_calls === false,
    tellsProgress: tellsProgress(body),
    options: {
      ...samplingOptions(body),
      ...formOptions(body, schemaOf(body)),
      ...readingOptions(body),
      ...tellingOptions(body),
      ...(maxTokens !== undefined && { maxTokens }),
      ...(logprobs !== undefined && { logprobs }),
    },
  };
}

/** @throws RequestError for two schemas */
function schemaOf({ response_format: format, json_schema }: ChatBody): SchemaObject | undefined {
  if (format === undefined || format.type === "text") return json_schema;
  if (json_schema !== undefined) {
    const message = "json_schema: response_format asks for a form already; give one";
    throw new RequestError("invalid request", message, { field: "json_schema" });
  }
  if (format.type === "json_schema") return format.json_schema.schema;
  return format.schema ?? anyObject;
}

function maxTokensOf({ max_tokens, max_completion_tokens }: ChatBody): number | undefined {
  if (
    max_tokens !== undefined &&
    max_completion_tokens !== undefined &&
    max_tokens !== max_completion_tokens
  ) {
    const message = `max_tokens ${max_tokens} and max_completion_tokens ${max_completion_tokens} are the same limit; give one`;
    throw new RequestError("invalid request", message, { field: "max_completion_tokens" });
  }
  const most = max_completion_tokens ?? max_tokens;
  return most === -1 ? undefined : most;
}

/** How many alternatives to report; undefined: no log-probabilities. */
function logprobsOf(
  { logprobs = false, top_logprobs }: ChatBody,
  limits: Limits,
): number | undefined {
  if (top_logprobs === undefined) return logprobs ? 0 : undefined;
  if (!logprobs) {
    const message = "top_logprobs: give logprobs true with it";
    throw new RequestError("invalid request", message, { field: "top_logprobs" });
  }
  requireAtMost("top_logprobs", top_logprobs, limits.topLogprobs);
  return top_logprobs;
}
