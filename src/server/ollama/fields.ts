/**
 * Fields of Ollama's bodies. What it calls `options` is judged together with the fields beside it: no name is both. Fields that
 * are absent leave hearth's defaults, which are llama.cpp's and not all of them Ollama's.
 */
import { z } from "zod";
import { isRecord } from "../../core/check-options.ts";
import type { Milliseconds } from "../../core/units.ts";
import { type SchemaObject, schemaField } from "../answers/form-fields.ts";
import { type SamplingBody, samplingFields } from "../answers/sampling-fields.ts";
import type { AbsentField, BodyFields } from "../body-fields.ts";
import { RequestError } from "../errors.ts";
import { chatTool, type OpenAiTool } from "../openai/messages.ts";
import { keepAliveField } from "./durations.ts";

export interface RunBody {
  readonly model: string;
  readonly keep_alive?: Milliseconds | undefined;
  readonly num_ctx?: number | undefined;
}

export interface AnswerBody extends RunBody, SamplingBody {
  readonly stream?: boolean | undefined;
  readonly think?: boolean | string | undefined;
  readonly num_predict?: number | undefined;
  readonly format?: "" | "json" | SchemaObject | undefined;
  readonly logprobs?: boolean | undefined;
  readonly top_logprobs?: number | undefined;
}

export interface GenerateBody extends AnswerBody {
  readonly prompt?: string | undefined;
  readonly system?: string | undefined;
  readonly suffix?: string | undefined;
  readonly raw?: boolean | undefined;
}

export interface ChatBody extends AnswerBody {
  readonly messages?: readonly OllamaMessage[] | undefined;
  readonly tools?: readonly OpenAiTool[] | undefined;
}

export interface OllamaMessage {
  readonly role: string;
  readonly content?: string | undefined;
  readonly thinking?: string | undefined;
  readonly tool_calls?: readonly OllamaCall[] | null | undefined;
  readonly tool_name?: string | undefined;
  readonly [field: string]: unknown;
}

interface OllamaCall {
  readonly function: {
    readonly name: string;
    readonly arguments: Readonly<Record<string, unknown>>;
  };
}

const runFields = {
  model: z.string().min(1),
  keep_alive: keepAliveField,
  num_ctx: z.int().min(1).optional().describe("A longer context than the server has is refused"),
};

const answerFields = {
  ...runFields,
  ...samplingFields,
  stream: z.boolean().optional().describe("Default true"),
  think: z
    .union([z.boolean(), z.enum(["low", "medium", "high"])])
    .optional()
    .describe("Where the model's template knows it"),
  format: z
    .union([z.enum(["", "json"]), schemaField])
    .optional()
    .describe('"json", or a JSON schema'),
  num_predict: z.int().min(-2).optional().describe("Below 0: until it ends or the context is full"),
  logprobs: z.boolean().optional(),
  top_logprobs: z.int().min(0).optional().describe("With logprobs"),
};

/** How the server runs its models is not for a client to say: without effect, and named in a header. */
const runtimeOptions = [
  "num_keep",
  "num_batch",
  "num_gpu",
  "main_gpu",
  "num_thread",
  "use_mmap",
  "use_mlock",
  "numa",
  "low_vram",
  "f16_kv",
  "logits_all",
  "vocab_only",
  "embedding_only",
];

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const isEmptyText = (value: unknown): boolean => value === "";

const absent: Readonly<Record<string, AbsentField>> = {
  images: { reason: "hearth reads text", isNeutral: isEmptyList },
  tools: { reason: "/api/chat takes them", isNeutral: isEmptyList },
  template: {
    reason: "the model's own template is used; raw true uses none",
    isNeutral: isEmptyText,
  },
  context: {
    reason: "send the text before it in the prompt: what was read of it is not read again",
    isNeutral: isEmptyList,
  },
  tfs_z: { reason: "hearth does not have this sampler", isNeutral: (value) => value === 1 },
  penalize_newline: {
    reason: "all tokens are penalised alike",
    isNeutral: (value) => value === true,
  },
};

export const generateFields: BodyFields<GenerateBody> = {
  schema: z
    .object({
      ...answerFields,
      prompt: z.string().optional(),
      suffix: z
        .string()
        .optional()
        .describe("What comes behind the text, of models that fill in the middle"),
      system: z.string().optional(),
      raw: z.boolean().optional().describe("The prompt as it is, without a template"),
    })
    .meta({ id: "OllamaGenerateRequest" }),
  idle: runtimeOptions,
  absent,
};

export const chatFields: BodyFields<ChatBody> = {
  schema: z
    .object({
      ...answerFields,
      messages: z
        .array(
          z.looseObject({
            role: z.enum(["system", "user", "assistant", "tool"]),
            content: z.string().optional(),
            thinking: z.string().optional(),
            tool_calls: z
              .array(
                z.looseObject({
                  function: z.looseObject({
                    name: z.string(),
                    arguments: z.record(z.string(), z.unknown()),
                  }),
                }),
              )
              .nullish(),
            tool_name: z.string().optional(),
          }),
        )
        .optional(),
      tools: z.array(chatTool).optional(),
    })
    .meta({ id: "OllamaChatRequest" }),
  idle: runtimeOptions,
  absent,
};

export interface EmbedBody extends RunBody {
  readonly input: string | readonly string[];
  readonly truncate?: boolean | undefined;
  readonly dimensions?: number | undefined;
}

export const embedFields: BodyFields<EmbedBody> = {
  schema: z
    .object({
      ...runFields,
      input: z.union([z.string(), z.array(z.string())]),
      truncate: z
        .boolean()
        .optional()
        .describe("Cut texts that are longer than the context. Default false: they are refused"),
      dimensions: z.int().min(1).optional().describe("The length that the model's vectors have"),
    })
    .meta({ id: "OllamaEmbedRequest" }),
  idle: runtimeOptions,
  absent: {},
};

export interface OldEmbedBody extends RunBody {
  readonly prompt: string;
}

export const oldEmbedFields: BodyFields<OldEmbedBody> = {
  schema: z.object({ ...runFields, prompt: z.string() }).meta({ id: "OllamaEmbeddingsRequest" }),
  idle: runtimeOptions,
  absent: {},
};

/** A body whose `options` stand beside the other fields. @throws RequestError for one that stands there already */
export function withOptions(body: unknown, beside: ReadonlySet<string>): unknown {
  if (!isRecord(body)) return body;
  const { options = {}, ...fields } = body;
  if (options !== null && !isRecord(options)) {
    throw new RequestError("invalid request", "options: expected an object", { field: "options" });
  }
  const wrong = Object.keys(fields).find(
    (name) => Object.hasOwn(answerFields, name) && !beside.has(name),
  );
  const doubled = Object.keys(options ?? {}).find((name) => beside.has(name));
  if (wrong !== undefined) throw misplaced(wrong, `options.${wrong}`);
  if (doubled !== undefined) throw misplaced(`options.${doubled}`, doubled);
  return { ...fields, ...options };
}

/** Names that stand beside `options`, in any of the bodies. */
export const besideOptions: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "prompt",
  "system",
  "raw",
  "stream",
  "think",
  "keep_alive",
  "input",
  "truncate",
  "format",
  "images",
  "tools",
  "template",
  "suffix",
  "context",
  "dimensions",
  "logprobs",
  "top_logprobs",
]);

/** Whether a field stands in `options`. */
export const isOption = (name: string): boolean => !besideOptions.has(name);

function misplaced(found: string, expected: string): RequestError {
  return new RequestError("invalid request", `${found} belongs into ${expected}`, { field: found });
}
