/** What Ollama's paths answer; streams are lines of the same objects. */
import { z } from "zod";
import { tokenScores } from "../openai/answer-schemas.ts";

const count = z.int().min(0);

export const errorAnswer: z.ZodType = z.object({ error: z.string() }).meta({ id: "OllamaError" });

const answer = {
  model: z.string(),
  created_at: z.iso.datetime(),
  logprobs: z.array(tokenScores).optional(),
  done: z.boolean(),
  done_reason: z.enum(["stop", "length", "load", "unload"]).optional(),
  total_duration: count.optional(),
  load_duration: count.optional(),
  prompt_eval_count: count.optional(),
  prompt_eval_duration: count.optional(),
  eval_count: count.optional(),
  eval_duration: count.optional(),
};

export const generateAnswer: z.ZodType = z
  .object({ ...answer, response: z.string(), thinking: z.string().optional() })
  .meta({ id: "OllamaGenerated" });

export const chatAnswer: z.ZodType = z
  .object({
    ...answer,
    message: z.object({
      role: z.literal("assistant"),
      content: z.string(),
      thinking: z.string().optional(),
      tool_calls: z
        .array(z.object({ function: z.object({ name: z.string(), arguments: z.looseObject({}) }) }))
        .optional(),
    }),
  })
  .meta({ id: "OllamaChat" });

export const embedAnswer: z.ZodType = z
  .object({
    model: z.string(),
    embeddings: z.array(z.array(z.number())),
    total_duration: count,
    load_duration: count,
    prompt_eval_count: count,
  })
  .meta({ id: "OllamaEmbeddings" });

export const oldEmbedAnswer: z.ZodType = z
  .object({ embedding: z.array(z.number()) })
  .meta({ id: "OllamaEmbedding" });

export const versionAnswer: z.ZodType = z
  .object({ version: z.string(), hearth: z.string() })
  .meta({ id: "OllamaVersion" });

const details = z.object({
  parent_model: z.string(),
  format: z.string(),
  family: z.string(),
  families: z.array(z.string()),
  parameter_size: z.string(),
  quantization_level: z.string(),
});

const named = { name: z.string(), model: z.string(), size: count, digest: z.string() };

export const tagsAnswer: z.ZodType = z
  .object({ models: z.array(z.object({ ...named, modified_at: z.iso.datetime(), details })) })
  .meta({ id: "OllamaModels" });

export const runningAnswer: z.ZodType = z
  .object({
    models: z.array(
      z.object({
        ...named,
        details: z.union([details, z.object({})]),
        expires_at: z.iso.datetime(),
        size_vram: count,
        context_length: count,
      }),
    ),
  })
  .meta({ id: "OllamaRunning" });

export const showAnswer: z.ZodType = z
  .object({
    modelfile: z.string(),
    parameters: z.string(),
    template: z.string(),
    details,
    model_info: z.record(z.string(), z.unknown()),
    capabilities: z.array(z.string()),
    modified_at: z.iso.datetime(),
  })
  .meta({ id: "OllamaModel" });
