/** What `/v1/responses` answers, whole and as events. */
import { z } from "zod";
import { timings, tokenScores } from "./answer-schemas.ts";

const count = z.int().min(0);
const status = z.enum(["in_progress", "completed", "incomplete"]);

const textPart = z
  .object({
    type: z.literal("output_text"),
    text: z.string(),
    annotations: z.array(z.never()),
    logprobs: z.array(tokenScores),
  })
  .meta({ id: "ResponseText" });

const thoughtPart = z
  .object({ type: z.literal("reasoning_text"), text: z.string() })
  .meta({ id: "ResponseThought" });

const item = z
  .discriminatedUnion("type", [
    z.object({
      type: z.literal("message"),
      id: z.string(),
      role: z.literal("assistant"),
      status,
      content: z.array(textPart),
    }),
    z.object({
      type: z.literal("reasoning"),
      id: z.string(),
      status,
      summary: z.array(z.never()),
      content: z.array(thoughtPart),
    }),
    z.object({
      type: z.literal("function_call"),
      id: z.string(),
      status,
      call_id: z.string(),
      name: z.string(),
      arguments: z.string(),
    }),
  ])
  .meta({ id: "ResponseItem" });

export const responseAnswer: z.ZodType = z
  .object({
    id: z.string(),
    object: z.literal("response"),
    created_at: count,
    completed_at: count.nullable().optional(),
    status,
    model: z.string(),
    error: z.null(),
    incomplete_details: z.object({ reason: z.literal("max_output_tokens") }).nullable(),
    instructions: z.string().nullable(),
    max_output_tokens: count.nullable(),
    metadata: z.record(z.string(), z.string()),
    parallel_tool_calls: z.boolean(),
    previous_response_id: z.null(),
    reasoning: z.object({ effort: z.string().nullable(), summary: z.null() }),
    store: z.literal(false),
    temperature: z.number().nullable(),
    text: z.object({ format: z.looseObject({ type: z.string() }) }),
    tool_choice: z.union([z.string(), z.looseObject({ type: z.string() })]),
    tools: z.array(z.looseObject({ type: z.string(), name: z.string() })),
    top_p: z.number().nullable(),
    truncation: z.literal("disabled"),
    output: z.array(item),
    usage: z
      .object({
        input_tokens: count,
        input_tokens_details: z.object({ cached_tokens: count }),
        output_tokens: count,
        output_tokens_details: z.object({ reasoning_tokens: count }),
        total_tokens: count,
      })
      .nullable(),
    timings: timings.optional(),
  })
  .meta({ id: "Response" });

const event = <Type extends string>(type: Type, fields: z.ZodRawShape) =>
  z.object({ type: z.literal(type), sequence_number: count, ...fields });
const place = { item_id: z.string(), output_index: count };
const part = { ...place, content_index: count };

export const responseEvent: z.ZodType = z
  .discriminatedUnion("type", [
    event("response.created", { response: responseAnswer }),
    event("response.in_progress", { response: responseAnswer }),
    event("response.completed", { response: responseAnswer }),
    event("response.incomplete", { response: responseAnswer }),
    event("response.output_item.added", { output_index: count, item }),
    event("response.output_item.done", { output_index: count, item }),
    event("response.content_part.added", { ...part, part: z.union([textPart, thoughtPart]) }),
    event("response.content_part.done", { ...part, part: z.union([textPart, thoughtPart]) }),
    event("response.output_text.delta", {
      ...part,
      delta: z.string(),
      logprobs: z.array(tokenScores),
    }),
    event("response.output_text.done", {
      ...part,
      text: z.string(),
      logprobs: z.array(tokenScores),
    }),
    event("response.reasoning_text.delta", { ...part, delta: z.string() }),
    event("response.reasoning_text.done", { ...part, text: z.string() }),
    event("response.function_call_arguments.delta", { ...place, delta: z.string() }),
    event("response.function_call_arguments.done", {
      ...place,
      name: z.string(),
      arguments: z.string(),
    }),
    z.object({
      type: z.literal("error"),
      code: z.string(),
      message: z.string(),
      param: z.string().nullable(),
    }),
  ])
  .meta({ id: "ResponseEvent" });
