/** What `/v1/…` answers: the schemas of /openapi.json, against which the tests hold what is really answered. */
import { z } from "zod";

const count = z.int().min(0);
const finishReason = z.enum(["stop", "length", "tool_calls"]);

export const errorAnswer: z.ZodType = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
      n_prompt_tokens: count.optional(),
      n_ctx: count.optional(),
    }),
  })
  .meta({ id: "OpenAiError" });

export const timings: z.ZodType = z
  .object({
    cache_n: count,
    prompt_n: count,
    prompt_ms: z.number(),
    prompt_per_token_ms: z.number(),
    prompt_per_second: z.number(),
    predicted_n: count,
    predicted_ms: z.number(),
    predicted_per_token_ms: z.number(),
    predicted_per_second: z.number(),
  })
  .meta({ id: "Timings" });

const usage = z
  .object({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: count,
    prompt_tokens_details: z.object({ cached_tokens: count }),
  })
  .meta({ id: "Usage" });

const tokenFields = { token: z.string(), id: count, bytes: z.array(count) };
const scoredToken = z.object({ ...tokenFields, logprob: z.number() }).meta({ id: "ScoredToken" });
const drawnToken = z.object({ ...tokenFields, prob: z.number() }).meta({ id: "DrawnToken" });

export const tokenScores: z.ZodType = z
  .union([
    z.object({ ...scoredToken.shape, top_logprobs: z.array(scoredToken) }),
    z
      .object({ ...drawnToken.shape, top_probs: z.array(drawnToken) })
      .describe("With post_sampling_probs"),
  ])
  .meta({ id: "TokenScores" });

export const promptProgress: z.ZodType = z
  .object({ total: count, cache: count, processed: count, time_ms: count })
  .meta({ id: "PromptProgress" });

const logprobs = z.object({ content: z.array(tokenScores), refusal: z.null() }).nullable();

const toolCall = z.object({
  id: z.string(),
  type: z.literal("function"),
  function: z.object({ name: z.string(), arguments: z.string() }),
});

const envelope = {
  id: z.string(),
  created: count,
  model: z.string(),
  system_fingerprint: z.string(),
};
const notices = z.array(z.string()).optional().describe("What looked like a call and is none");

export const chatAnswer: z.ZodType = z
  .object({
    ...envelope,
    object: z.literal("chat.completion"),
    choices: z.array(
      z.object({
        index: count,
        message: z.object({
          role: z.literal("assistant"),
          content: z.string().nullable(),
          refusal: z.null(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(toolCall).optional(),
        }),
        logprobs,
        finish_reason: finishReason,
        notices,
      }),
    ),
    usage,
    timings: timings.optional(),
  })
  .meta({ id: "ChatCompletion" });

export const chatChunk: z.ZodType = z
  .object({
    ...envelope,
    object: z.literal("chat.completion.chunk"),
    choices: z.array(
      z.object({
        index: count,
        delta: z.object({
          role: z.literal("assistant").optional(),
          content: z.string().nullable().optional(),
          reasoning_content: z.string().optional(),
          tool_calls: z
            .array(
              z.object({
                index: count,
                id: z.string().optional(),
                type: z.literal("function").optional(),
                function: z.object({ name: z.string().optional(), arguments: z.string() }),
              }),
            )
            .optional(),
        }),
        logprobs,
        finish_reason: finishReason.nullable(),
        notices,
      }),
    ),
    usage: usage.nullable().optional(),
    timings: timings.optional(),
    prompt_progress: promptProgress.optional(),
  })
  .meta({ id: "ChatCompletionChunk" });

const completion = (reason: z.ZodType) => ({
  ...envelope,
  object: z.literal("text_completion"),
  choices: z.array(
    z.object({
      index: count,
      text: z.string(),
      logprobs: z
        .object({
          tokens: z.array(z.string()),
          token_logprobs: z.array(z.number().nullable()),
          top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
          text_offset: z.array(count),
        })
        .nullable(),
      finish_reason: reason,
    }),
  ),
  timings: timings.optional(),
});

const cutOrStopped = z.enum(["stop", "length"]);

export const completionAnswer: z.ZodType = z
  .object({ ...completion(cutOrStopped), usage })
  .meta({ id: "Completion" });

export const completionChunk: z.ZodType = z
  .object({
    ...completion(cutOrStopped.nullable()),
    usage: usage.nullable().optional(),
    prompt_progress: promptProgress.optional(),
  })
  .meta({ id: "CompletionChunk" });

export const embeddingAnswer: z.ZodType = z
  .object({
    object: z.literal("list"),
    data: z.array(
      z.object({
        object: z.literal("embedding"),
        index: count,
        embedding: z.union([z.array(z.number()), z.string()]),
      }),
    ),
    model: z.string(),
    usage: z.object({ prompt_tokens: count, total_tokens: count }),
  })
  .meta({ id: "Embeddings" });

export const countAnswer: z.ZodType = z
  .object({ object: z.literal("response.input_tokens"), input_tokens: count })
  .meta({ id: "InputTokens" });

export const modelAnswer: z.ZodType = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: count,
    owned_by: z.string(),
    status: z.object({ value: z.enum(["unloaded", "loaded"]) }),
    meta: z
      .object({
        vocab_type: z.string(),
        n_vocab: count,
        n_ctx: count,
        n_ctx_train: count,
        n_embd: count,
        n_params: count,
        size: count,
      })
      .optional(),
  })
  .meta({ id: "Model" });

export const modelsAnswer: z.ZodType = z
  .object({ object: z.literal("list"), data: z.array(modelAnswer) })
  .meta({ id: "Models" });
