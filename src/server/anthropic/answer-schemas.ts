/** What Anthropic's paths answer, whole and as events. */
import { z } from "zod";

const count = z.int().min(0);

export const errorAnswer: z.ZodType = z
  .object({
    type: z.literal("error"),
    error: z.object({ type: z.string(), message: z.string() }),
  })
  .meta({ id: "AnthropicError" });

const usage = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_creation_input_tokens: count.optional(),
  cache_read_input_tokens: count.optional(),
});

const block = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("text"), text: z.string() }),
    z.object({ type: z.literal("thinking"), thinking: z.string(), signature: z.string() }),
    z.object({
      type: z.literal("tool_use"),
      id: z.string(),
      name: z.string(),
      input: z.looseObject({}),
    }),
  ])
  .meta({ id: "AnswerBlock" });

const ending = {
  stop_reason: z.enum(["end_turn", "max_tokens", "stop_sequence", "tool_use"]).nullable(),
  stop_sequence: z.string().nullable(),
};

export const messageAnswer: z.ZodType = z
  .object({
    id: z.string(),
    type: z.literal("message"),
    role: z.literal("assistant"),
    model: z.string(),
    content: z.array(block),
    ...ending,
    usage,
  })
  .meta({ id: "Message" });

const delta = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text_delta"), text: z.string() }),
  z.object({ type: z.literal("thinking_delta"), thinking: z.string() }),
  z.object({ type: z.literal("input_json_delta"), partial_json: z.string() }),
]);

export const messageEvent: z.ZodType = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("message_start"), message: messageAnswer }),
    z.object({ type: z.literal("content_block_start"), index: count, content_block: block }),
    z.object({ type: z.literal("ping") }),
    z.object({ type: z.literal("content_block_delta"), index: count, delta }),
    z.object({ type: z.literal("content_block_stop"), index: count }),
    z.object({ type: z.literal("message_delta"), delta: z.object(ending), usage }),
    z.object({ type: z.literal("message_stop") }),
    z.object({
      type: z.literal("error"),
      error: z.object({ type: z.string(), message: z.string() }),
    }),
  ])
  .meta({ id: "MessageEvent" });

export const countAnswer: z.ZodType = z
  .object({ input_tokens: count })
  .meta({ id: "CountedTokens" });
