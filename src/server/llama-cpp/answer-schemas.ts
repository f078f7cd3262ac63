/** What llama-server's own paths answer. */
import { z } from "zod";
import { promptProgress, timings, tokenScores } from "../openai/answer-schemas.ts";

const count = z.int().min(0);

export const errorAnswer: z.ZodType = z
  .object({
    error: z.object({
      code: z.int(),
      message: z.string(),
      type: z.string(),
      n_prompt_tokens: count.optional(),
      n_ctx: count.optional(),
    }),
  })
  .meta({ id: "LlamaError" });

const probabilities = z.array(tokenScores).optional();

const ended = {
  index: count,
  content: z.string(),
  tokens: z.array(count),
  id_slot: z.int(),
  stop: z.literal(true),
  model: z.string(),
  tokens_predicted: count,
  tokens_evaluated: count,
  generation_settings: z.looseObject({ seed: count, n_predict: z.int(), stream: z.boolean() }),
  prompt: z.string(),
  has_new_line: z.boolean(),
  truncated: z.boolean(),
  stop_type: z.enum(["none", "eos", "limit", "word"]),
  stopping_word: z.string(),
  tokens_cached: count,
  timings,
};

/** With `response_fields`, the fields that were asked for, by their paths. */
const chosen = z
  .record(z.string(), z.unknown())
  .meta({ id: "ChosenFields", not: { required: ["index", "content"] } });

const one = z
  .object({ ...ended, completion_probabilities: probabilities })
  .meta({ id: "LlamaCompletion" });

export const infillAnswer: z.ZodType = z.union([one, chosen]);

export const completionAnswer: z.ZodType = z.union([one, chosen, z.array(z.union([one, chosen]))]);

export const completionEvent: z.ZodType = z
  .union([
    z.object({
      index: count,
      content: z.string(),
      tokens: z.array(count),
      stop: z.literal(false),
      id_slot: z.int(),
      tokens_predicted: count,
      tokens_evaluated: count,
      completion_probabilities: probabilities,
      timings: timings.optional(),
      prompt_progress: promptProgress.optional(),
    }),
    z.object(ended),
    chosen,
  ])
  .meta({ id: "LlamaCompletionEvent" });

export const tokenizeAnswer: z.ZodType = z
  .object({
    tokens: z.array(
      z.union([count, z.object({ id: count, piece: z.union([z.string(), z.array(count)]) })]),
    ),
  })
  .meta({ id: "Tokens" });

export const detokenizeAnswer: z.ZodType = z
  .object({ content: z.string() })
  .meta({ id: "DetokenizedText" });

export const templateAnswer: z.ZodType = z
  .object({ prompt: z.string() })
  .meta({ id: "TemplatedPrompt" });

export const embeddingAnswer: z.ZodType = z
  .array(z.object({ index: count, embedding: z.array(z.array(z.number())) }))
  .meta({ id: "LlamaEmbeddings" });

export const propsAnswer: z.ZodType = z
  .object({
    default_generation_settings: z.object({
      n_ctx: count,
      params: z.record(z.string(), z.unknown()),
    }),
    total_slots: count,
    model_alias: z.string(),
    model_path: z.string(),
    n_ctx_train: count,
    modalities: z.object({ vision: z.boolean(), video: z.boolean(), audio: z.boolean() }),
    endpoint_slots: z.boolean(),
    endpoint_props: z.boolean(),
    endpoint_metrics: z.boolean(),
    slot_save: z.boolean(),
    chat_template: z.string(),
    bos_token: z.string(),
    eos_token: z.string(),
    build_info: z.string(),
    is_sleeping: z.boolean(),
  })
  .meta({ id: "Props" });

export const slotsAnswer: z.ZodType = z
  .array(
    z.object({
      id: count,
      n_ctx: count,
      speculative: z.boolean(),
      is_processing: z.boolean(),
    }),
  )
  .meta({ id: "Slots" });

export const slotAnswer: z.ZodType = z
  .object({
    id_slot: count,
    filename: z.string().optional(),
    n_saved: count.optional(),
    n_written: count.optional(),
    n_restored: count.optional(),
    n_erased: count.optional(),
    timings: z.record(z.string(), z.number()).optional(),
  })
  .meta({ id: "SlotAction" });
