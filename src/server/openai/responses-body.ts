/** The body of `/v1/responses`, and the request for an answer that it is. Nothing is stored: each request brings all of its conversation. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import type { Tool } from "../../index.ts";
import { absentOfLlama, idleOfLlama, isEmptyList, isOneOf } from "../answers/absent-fields.ts";
import { anyObject, type SchemaObject, schemaField } from "../answers/form-fields.ts";
import { type ReadingBody, readingFields, readingOptions } from "../answers/reading-fields.ts";
import type { AnswerRequest } from "../answers/request.ts";
import { type SamplingBody, samplingFields, samplingOptions } from "../answers/sampling-fields.ts";
import { untoldFields } from "../answers/telling-fields.ts";
import type { BodyFields } from "../body-fields.ts";
import { requireAtMost } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { conversationOf, type InputItem, inputItem } from "./responses-input.ts";

interface ResponseTool {
  readonly type: "function";
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly parameters?: Readonly<Record<string, unknown>> | null | undefined;
  readonly strict?: boolean | null | undefined;
}

type ResponseToolChoice =
  | "auto"
  | "none"
  | "required"
  | { readonly type: "function"; readonly name: string };

type TextFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object" }
  | { readonly type: "json_schema"; readonly schema: SchemaObject };

export interface ResponsesBody extends SamplingBody, ReadingBody {
  readonly model?: string | undefined;
  readonly input: string | readonly InputItem[];
  readonly instructions?: string | undefined;
  readonly max_output_tokens?: number | undefined;
  readonly stream?: boolean | undefined;
  readonly text?: { readonly format?: TextFormat | undefined } | undefined;
  readonly tools?: readonly ResponseTool[] | undefined;
  readonly tool_choice?: ResponseToolChoice | undefined;
  readonly parallel_tool_calls?: boolean | undefined;
  readonly reasoning?: { readonly effort?: string | null | undefined } | undefined;
  readonly include?: readonly string[] | undefined;
  readonly top_logprobs?: number | undefined;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | undefined;
}

const textFormat: z.ZodType<TextFormat> = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text") }),
  z.strictObject({ type: z.literal("json_object") }),
  z.strictObject({
    type: z.literal("json_schema"),
    schema: schemaField,
    name: z.string().optional(),
    description: z.string().nullish(),
    // A schema is kept to whatever strict says.
    strict: z.boolean().nullish(),
  }),
]);

const logprobsPlace = "message.output_text.logprobs";

export const responsesFields: BodyFields<ResponsesBody> = {
  schema: z
    .object({
      ...samplingFields,
      ...readingFields,
      model: z.string().optional(),
      input: z.union([z.string(), z.array(inputItem).min(1)]),
      instructions: z.string().optional(),
      max_output_tokens: z.int().min(0).optional(),
      stream: z.boolean().optional(),
      text: z
        .strictObject({
          format: textFormat.optional(),
          verbosity: z.literal("medium", "models here do not know it").nullish(),
        })
        .optional(),
      tools: z
        .array(
          z.strictObject({
            type: z.literal("function", "functions are the only tools here"),
            name: z.string(),
            description: z.string().nullish(),
            parameters: z.record(z.string(), z.unknown()).nullish(),
            strict: z
              .boolean()
              .nullish()
              .describe("Without effect where a call is left to the model"),
          }),
        )
        .optional(),
      tool_choice: z
        .union([
          z.enum(["auto", "none", "required"]),
          z.strictObject({ type: z.literal("function"), name: z.string() }),
        ])
        .optional(),
      parallel_tool_calls: z
        .boolean()
        .optional()
        .describe("false: an answer ends behind its first call"),
      reasoning: z
        .strictObject({
          effort: z.string().nullish().describe("A variable of the model's chat template"),
          summary: z.string().nullish().describe("Without effect: thoughts come as they are"),
          generate_summary: z.string().nullish().describe("Without effect"),
        })
        .optional(),
      include: z
        .array(z.string())
        .optional()
        .describe(`${logprobsPlace}; others are without effect`),
      top_logprobs: z.int().min(0).optional(),
      chat_template_kwargs: z.record(z.string(), z.unknown()).optional(),
    })
    .meta({ id: "ResponseRequest" }),
  idle: [
    "user",
    "metadata",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "stream_options",
    // Of tools that a server calls itself: here are none.
    "max_tool_calls",
    ...idleOfLlama,
  ],
  absent: {
    ...absentOfLlama,
    ...untoldFields,
    store: { reason: "hearth keeps no responses; give false", isNeutral: isOneOf(false) },
    previous_response_id: { reason: "hearth keeps no responses; send the conversation as input" },
    conversation: { reason: "hearth keeps no conversations; send it as input" },
    prompt: { reason: "hearth keeps no prompts; send it as instructions and input" },
    background: {
      reason: "an answer is written while its client waits",
      isNeutral: isOneOf(false),
    },
    truncation: { reason: "a prompt is never cut", isNeutral: isOneOf("disabled") },
    context_management: { reason: "a prompt is read as it is sent", isNeutral: isEmptyList },
    moderation: { reason: "hearth judges no texts" },
  },
  idleWithin: ({ tools = [], include = [], reasoning }) => [
    ...(tools.some(({ strict }) => strict) ? ["tools.strict"] : []),
    ...include.filter((place) => place !== logprobsPlace).map((place) => `include.${place}`),
    ...(hasSummary(reasoning) ? ["reasoning.summary"] : []),
  ],
};

function hasSummary(reasoning: object | undefined): boolean {
  const { summary, generate_summary } = (reasoning ?? {}) as Readonly<Record<string, unknown>>;
  return Boolean(summary ?? generate_summary);
}

/** @throws RequestError for what hearth has not, or for more than the server gives */
export function responsesRequest(body: ResponsesBody, limits: Limits): AnswerRequest {
  const { model, input, instructions, max_output_tokens: maxTokens, reasoning, tools = [] } = body;
  const logprobs = logprobsOf(body);
  requireAtMost("top_logprobs", logprobs ?? 0, limits.topLogprobs);
  const variables = {
    ...body.chat_template_kwargs,
    ...(reasoning?.effort && { reasoning_effort: reasoning.effort }),
  };
  const { tool_choice: choice = "auto" } = body;
  return {
    model,
    prompts: [
      {
        kind: "messages",
        messages: conversationOf(input, instructions),
        template: { variables },
        tools: tools.map(toolOf),
        toolChoice: typeof choice === "string" ? choice : { name: choice.name },
      },
    ],
    oneCall: body.parallel_tool_calls === false,
    options: {
      ...samplingOptions(body),
      ...readingOptions(body),
      ...defined({ maxTokens, logprobs, schema: schemaOf(body) }),
    },
  };
}

/** How many alternatives to report; undefined: no log-probabilities. */
export function logprobsOf({ top_logprobs, include = [] }: ResponsesBody): number | undefined {
  return top_logprobs ?? (include.includes(logprobsPlace) ? 0 : undefined);
}

function schemaOf({ text }: ResponsesBody): SchemaObject | undefined {
  const format = text?.format;
  if (format === undefined || format.type === "text") return undefined;
  return format.type === "json_schema" ? format.schema : anyObject;
}

function toolOf({ name, description, parameters }: ResponseTool): Tool {
  return {
    name,
    ...defined({ description: description ?? undefined, parameters: parameters ?? undefined }),
  };
}
